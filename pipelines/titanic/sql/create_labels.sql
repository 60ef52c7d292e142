-- Who survived, and which passengers a model is judged on.
CREATE TABLE IF NOT EXISTS passenger_labels (
  PassengerId BIGINT NOT NULL,
  Survived INT,
  split STRING,
  CONSTRAINT passenger_labels_key PRIMARY KEY (PassengerId)
)
