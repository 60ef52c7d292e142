-- Passengers as they came, one row each.
CREATE TABLE IF NOT EXISTS titanic_passengers (
  PassengerId BIGINT,
  survived INT,
  pclass INT,
  sex STRING,
  age DOUBLE,
  sibsp INT,
  parch INT,
  fare DOUBLE,
  embarked STRING,
  who STRING,
  adult_male BOOLEAN,
  deck STRING,
  embark_town STRING,
  alone BOOLEAN,
  split STRING
)
