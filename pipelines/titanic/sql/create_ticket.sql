CREATE TABLE IF NOT EXISTS passenger_ticket_features (
  PassengerId BIGINT NOT NULL,
  Pclass INT,
  Fare DOUBLE,
  FarePerPerson DOUBLE,
  Embarked STRING,
  EmbarkTown STRING,
  Deck STRING,
  CONSTRAINT passenger_ticket_features_key PRIMARY KEY (PassengerId)
)
TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')
