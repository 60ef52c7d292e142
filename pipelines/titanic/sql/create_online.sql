-- The one table that is published. The label is not here, and so cannot be looked up into a model.
CREATE TABLE IF NOT EXISTS online_feature_table (
  PassengerId BIGINT NOT NULL,
  Sex STRING,
  Age DOUBLE,
  Who STRING,
  AdultMale BOOLEAN,
  SiblingsSpouses INT,
  ParentsChildren INT,
  FamilySize INT,
  Alone BOOLEAN,
  Pclass INT,
  Fare DOUBLE,
  FarePerPerson DOUBLE,
  Embarked STRING,
  EmbarkTown STRING,
  Deck STRING,
  CONSTRAINT online_feature_table_key PRIMARY KEY (PassengerId)
)
TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')
