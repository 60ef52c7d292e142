SELECT f.*, l.Survived, l.split
FROM passenger_labels AS l
JOIN online_feature_table AS f ON f.PassengerId = l.PassengerId
ORDER BY f.PassengerId
