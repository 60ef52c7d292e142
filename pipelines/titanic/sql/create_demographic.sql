CREATE TABLE IF NOT EXISTS passenger_demographic_features (
  PassengerId BIGINT NOT NULL,
  Sex STRING,
  Age DOUBLE,
  Who STRING,
  AdultMale BOOLEAN,
  SiblingsSpouses INT,
  ParentsChildren INT,
  FamilySize INT,
  Alone BOOLEAN,
  CONSTRAINT passenger_demographic_features_key PRIMARY KEY (PassengerId)
)
TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')
