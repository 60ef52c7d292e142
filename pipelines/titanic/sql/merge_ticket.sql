-- What a passenger paid, and for what: a fare is for all who travel on the ticket.
MERGE INTO passenger_ticket_features AS target
USING (
  SELECT
    PassengerId,
    pclass AS Pclass,
    fare AS Fare,
    round(fare / (sibsp + parch + 1), 6) AS FarePerPerson,
    embarked AS Embarked,
    embark_town AS EmbarkTown,
    deck AS Deck
  FROM titanic_passengers
) AS source
ON target.PassengerId = source.PassengerId
WHEN MATCHED AND NOT (
  target.Pclass <=> source.Pclass
  AND target.Fare <=> source.Fare
  AND target.FarePerPerson <=> source.FarePerPerson
  AND target.Embarked <=> source.Embarked
  AND target.EmbarkTown <=> source.EmbarkTown
  AND target.Deck <=> source.Deck
) THEN UPDATE SET *
WHEN NOT MATCHED THEN INSERT *
WHEN NOT MATCHED BY SOURCE THEN DELETE
