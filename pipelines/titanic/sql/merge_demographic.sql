-- Who a passenger is, and with whom. Only rows that differ are written: the change data feed is what gets published.
MERGE INTO passenger_demographic_features AS target
USING (
  SELECT
    PassengerId,
    sex AS Sex,
    age AS Age,
    who AS Who,
    adult_male AS AdultMale,
    sibsp AS SiblingsSpouses,
    parch AS ParentsChildren,
    CAST(sibsp + parch + 1 AS INT) AS FamilySize,
    alone AS Alone
  FROM titanic_passengers
) AS source
ON target.PassengerId = source.PassengerId
WHEN MATCHED AND NOT (
  target.Sex <=> source.Sex
  AND target.Age <=> source.Age
  AND target.Who <=> source.Who
  AND target.AdultMale <=> source.AdultMale
  AND target.SiblingsSpouses <=> source.SiblingsSpouses
  AND target.ParentsChildren <=> source.ParentsChildren
  AND target.FamilySize <=> source.FamilySize
  AND target.Alone <=> source.Alone
) THEN UPDATE SET *
WHEN NOT MATCHED THEN INSERT *
WHEN NOT MATCHED BY SOURCE THEN DELETE
