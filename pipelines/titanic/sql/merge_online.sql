-- Both feature tables, joined: the passengers that are in both.
MERGE INTO online_feature_table AS target
USING (
  SELECT
    d.PassengerId,
    d.Sex,
    d.Age,
    d.Who,
    d.AdultMale,
    d.SiblingsSpouses,
    d.ParentsChildren,
    d.FamilySize,
    d.Alone,
    t.Pclass,
    t.Fare,
    t.FarePerPerson,
    t.Embarked,
    t.EmbarkTown,
    t.Deck
  FROM passenger_demographic_features AS d
  JOIN passenger_ticket_features AS t ON t.PassengerId = d.PassengerId
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
  AND target.Pclass <=> source.Pclass
  AND target.Fare <=> source.Fare
  AND target.FarePerPerson <=> source.FarePerPerson
  AND target.Embarked <=> source.Embarked
  AND target.EmbarkTown <=> source.EmbarkTown
  AND target.Deck <=> source.Deck
) THEN UPDATE SET *
WHEN NOT MATCHED THEN INSERT *
WHEN NOT MATCHED BY SOURCE THEN DELETE
