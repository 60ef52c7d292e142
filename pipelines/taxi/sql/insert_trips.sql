-- Many trips in one text parameter: fields parted by commas, trips by semicolons; moments are microseconds since 1970
-- in UTC. A statement of a thousand VALUES takes a parser longer than everything else in this pipeline; this one is
-- parsed at once.
INSERT INTO trips
SELECT
  timestamp_micros(CAST(split_part(line, ',', 1) AS BIGINT)) AS tpep_pickup_datetime,
  timestamp_micros(CAST(split_part(line, ',', 2) AS BIGINT)) AS tpep_dropoff_datetime,
  CAST(split_part(line, ',', 3) AS DOUBLE) AS trip_distance,
  CAST(split_part(line, ',', 4) AS DOUBLE) AS fare_amount,
  CAST(split_part(line, ',', 5) AS INT) AS pickup_zip,
  CAST(split_part(line, ',', 6) AS INT) AS dropoff_zip
FROM (SELECT explode(split(:rows, ';')) AS line)
