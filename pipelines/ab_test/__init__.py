"""An A/B test of two versions behind one endpoint, judged by the labels that their answers have got since.

    from pipelines.ab_test import AbRequest, compare_versions

    result = compare_versions(AbRequest.from_parameters(parameters))

The version that the lower alias names is the contender, the one of the upper alias the incumbent. The result goes to
the contender as tags (`ab_result` and what it rests on), which the upper alias waits for (`requiresToReplace` in the
stack file). Nothing here moves an alias.
"""

from pipelines.ab_test.judgement import AbPolicy, AbVerdict, Arm, judge
from pipelines.ab_test.task import AbRequest, AbResult, compare_versions

__all__ = ["AbPolicy", "AbRequest", "AbResult", "AbVerdict", "Arm", "compare_versions", "judge"]
