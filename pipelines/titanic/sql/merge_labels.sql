-- What became of the passengers.
MERGE INTO passenger_labels AS target
USING (
  SELECT PassengerId, survived AS Survived, split FROM titanic_passengers
) AS source
ON target.PassengerId = source.PassengerId
WHEN MATCHED AND NOT (
  target.Survived <=> source.Survived
  AND target.split <=> source.split
) THEN UPDATE SET *
WHEN NOT MATCHED THEN INSERT *
WHEN NOT MATCHED BY SOURCE THEN DELETE
