"""Seeded passengers, for a machine that has no real ones.

They look like the real file as far as a model cares: women, children and the first class survive more often, most
people of the third class travel alone, and every fifth age and three of four decks were never noted. The same seed
gives the same passengers.
"""

import hashlib
from typing import Final

from pipelines.titanic.passengers import Record

PASSENGERS: Final = 891
_TOWNS: Final = {"S": "Southampton", "C": "Cherbourg", "Q": "Queenstown"}
# Mean of the logarithm of the fare, by class.
_FARES: Final = {"1": 4.1, "2": 2.9, "3": 2.3}
_DECKS: Final = {"1": "ABCDE", "2": "DEF", "3": "EFG"}


def digest(seed: int) -> str:
    """What identifies these passengers: seed and number (the generator's code is part of the tables' digest)."""
    return hashlib.sha256(f"sample passengers, seed {seed}, {PASSENGERS}".encode()).hexdigest()


def generate(seed: int) -> list[Record]:
    """`PASSENGERS` passengers, in the columns of the file."""
    import numpy as np  # here, because a run that finds everything up to date needs no numpy

    random = np.random.default_rng(seed)

    def pick(*choices: str, shares: tuple[float, ...] | None = None) -> str:
        return str(random.choice(choices, p=shares))

    def chance(share: float) -> bool:
        return bool(random.random() < share)

    records: list[Record] = []
    for _ in range(PASSENGERS):
        pclass = pick("1", "2", "3", shares=(0.24, 0.21, 0.55))
        sex = pick("male", "female", shares=(0.65, 0.35))
        age = float(np.clip(random.normal({"1": 38, "2": 30, "3": 25}[pclass], 13), 0.5, 80))
        alone = chance(0.6)
        siblings, parents = (0, 0) if alone else (int(random.integers(0, 4)), int(random.integers(0, 3)))
        if not alone and siblings + parents == 0:
            siblings = 1
        who = "child" if age < 16 else "woman" if sex == "female" else "man"
        harbour = pick(*_TOWNS, shares=(0.72, 0.19, 0.09))
        score = {"1": 1.1, "2": 0.3, "3": -0.5}[pclass] + {"woman": 2.0, "child": 0.9, "man": -1.6}[who]
        score -= 0.35 * max(siblings + parents - 3, 0)
        records.append(
            {
                "survived": str(int(chance(1 / (1 + float(np.exp(-score)))))),
                "pclass": pclass,
                "sex": sex,
                "age": f"{age:.1f}" if chance(0.8) else "",
                "sibsp": str(siblings),
                "parch": str(parents),
                "fare": f"{float(np.exp(random.normal(_FARES[pclass], 0.4))) * (1 + siblings + parents):.4f}",
                "embarked": harbour,
                "who": who,
                "adult_male": str(who == "man"),
                "deck": pick(*_DECKS[pclass]) if chance(0.8 if pclass == "1" else 0.08) else "",
                "embark_town": _TOWNS[harbour],
                "alone": str(siblings + parents == 0),
            }
        )
    return records
