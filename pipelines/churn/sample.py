"""Seeded customers, for a machine that has no real ones.

They look like the real file as far as a churn model cares: half the customers pay month by month and most of those who
leave are among them; new customers, fibre and electronic checks leave more often. The same seed gives the same
customers.
"""

import hashlib
from typing import Final

from pipelines.churn.customers import Record

CUSTOMERS: Final = 2_000
# Customers that are there with every seed, and in the real file too: smoke queries ask for them.
KNOWN: Final = ("0002-ORFBO", "0003-MKNFE")
_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_NO_INTERNET: Final = "No internet service"


def digest(seed: int) -> str:
    """What identifies these customers: seed and size (the generator's code is part of the tables' digest)."""
    return hashlib.sha256(f"sample customers, seed {seed}, {CUSTOMERS} with {KNOWN}".encode()).hexdigest()


def generate(seed: int) -> list[Record]:
    """`CUSTOMERS` customers, those of `KNOWN` first."""
    import numpy as np  # here, because a run that finds everything up to date needs no numpy

    random = np.random.default_rng(seed)

    def pick(*choices: str, shares: tuple[float, ...] | None = None) -> str:
        return str(random.choice(choices, p=shares))

    records: list[Record] = []
    for number in range(CUSTOMERS):
        letters = "".join(_LETTERS[index] for index in random.integers(0, len(_LETTERS), 5))
        contract = pick("Month-to-month", "One year", "Two year", shares=(0.55, 0.21, 0.24))
        internet = pick("DSL", "Fiber optic", "No", shares=(0.34, 0.44, 0.22))
        tenure = int(random.integers(0, 30) if contract == "Month-to-month" else random.integers(6, 73))
        payment = pick(
            "Electronic check", "Mailed check", "Bank transfer (automatic)", "Credit card (automatic)",
            shares=(0.34, 0.22, 0.22, 0.22),
        )  # fmt: skip
        senior = int(random.random() < 0.16)
        phone = pick("Yes", "No", shares=(0.9, 0.1))
        options = {
            name: _NO_INTERNET if internet == "No" else pick("Yes", "No", shares=(0.42, 0.58))
            for name in (
                "OnlineSecurity", "OnlineBackup", "DeviceProtection", "TechSupport", "StreamingTV", "StreamingMovies",
            )
        }  # fmt: skip
        taken = sum(value == "Yes" for value in options.values())
        charge = {"DSL": 43.0, "Fiber optic": 68.0, "No": 19.0}[internet] + 5.0 * taken + float(random.normal(0, 2))
        odds = (
            -2.6
            + 2.1 * (contract == "Month-to-month")
            - 1.2 * (contract == "Two year")
            + 1.1 * (internet == "Fiber optic")
            - 1.0 * (internet == "No")
            + 0.6 * (payment == "Electronic check")
            + 0.5 * senior
            - 0.5 * (options["TechSupport"] == "Yes")
            - 0.045 * tenure
        )
        records.append(
            {
                "customerID": KNOWN[number] if number < len(KNOWN) else f"{number:04d}-{letters}",
                "gender": pick("Female", "Male"),
                "SeniorCitizen": str(senior),
                "Partner": pick("Yes", "No"),
                "Dependents": pick("Yes", "No", shares=(0.3, 0.7)),
                "tenure": str(tenure),
                "PhoneService": phone,
                "MultipleLines": "No phone service" if phone == "No" else pick("Yes", "No"),
                "InternetService": internet,
                **options,
                "Contract": contract,
                "PaperlessBilling": pick("Yes", "No", shares=(0.6, 0.4)),
                "PaymentMethod": payment,
                "MonthlyCharges": f"{max(charge, 18.0):.2f}",
                "TotalCharges": f"{max(charge, 18.0) * tenure:.2f}" if tenure else " ",
                "Churn": "Yes" if random.random() < 1 / (1 + np.exp(-odds)) else "No",
            }
        )
    return records
