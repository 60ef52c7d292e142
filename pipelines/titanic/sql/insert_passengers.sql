-- Many passengers in one text parameter, fields parted by | and passengers by ; (a statement of a thousand VALUES takes
-- a parser longer than everything else). What nobody noted is blank.
INSERT INTO titanic_passengers
SELECT
  CAST(split_part(line, '|', 1) AS BIGINT) AS PassengerId,
  CAST(split_part(line, '|', 2) AS INT) AS survived,
  CAST(split_part(line, '|', 3) AS INT) AS pclass,
  split_part(line, '|', 4) AS sex,
  CAST(nullif(split_part(line, '|', 5), '') AS DOUBLE) AS age,
  CAST(split_part(line, '|', 6) AS INT) AS sibsp,
  CAST(split_part(line, '|', 7) AS INT) AS parch,
  CAST(split_part(line, '|', 8) AS DOUBLE) AS fare,
  nullif(split_part(line, '|', 9), '') AS embarked,
  split_part(line, '|', 10) AS who,
  lower(split_part(line, '|', 11)) = 'true' AS adult_male,
  nullif(split_part(line, '|', 12), '') AS deck,
  nullif(split_part(line, '|', 13), '') AS embark_town,
  lower(split_part(line, '|', 14)) = 'true' AS alone,
  split_part(line, '|', 15) AS split
FROM (SELECT explode(split(:rows, ';')) AS line)
