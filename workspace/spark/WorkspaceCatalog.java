package workspace.spark;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.analysis.NoSuchTableException;
import org.apache.spark.sql.connector.catalog.Column;
import org.apache.spark.sql.connector.catalog.Identifier;
import org.apache.spark.sql.connector.catalog.Table;
import org.apache.spark.sql.connector.catalog.TableCatalog;
import org.apache.spark.sql.connector.catalog.TableChange;
import org.apache.spark.sql.connector.catalog.TableWritePrivilege;
import org.apache.spark.sql.connector.expressions.Transform;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;

/**
 * A catalog of Unity Catalog in a Spark session: names become Delta tables, over the REST API.
 *
 * <p>Where a table lies is told by `GET /api/2.1/unity-catalog/tables/{name}`, whether it may be read or written by
 * `POST /api/2.1/unity-catalog/temporary-table-credentials`; everything else is Delta's own, which is asked for the
 * table at that path. Address and token come from the environment of the process (DATABRICKS_HOST,
 * DATABRICKS_TOKEN), so that no configuration holds a secret. Tables are made, changed and dropped in SQL on a
 * warehouse, not here.
 */
public final class WorkspaceCatalog implements TableCatalog {
    private static final String API = "/api/2.1/unity-catalog/";
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private final ObjectMapper json = new ObjectMapper();
    private final HttpClient http = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(10)).build();
    private String name;
    private String host;
    private String token;

    @Override
    public void initialize(String name, CaseInsensitiveStringMap options) {
        this.name = name;
        this.host = needed("DATABRICKS_HOST").replaceAll("/+$", "");
        this.token = needed("DATABRICKS_TOKEN");
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Table loadTable(Identifier identifier) throws NoSuchTableException {
        return load(identifier, "READ");
    }

    @Override
    public Table loadTable(Identifier identifier, Set<TableWritePrivilege> privileges) throws NoSuchTableException {
        return load(identifier, "READ_WRITE");
    }

    @Override
    public Identifier[] listTables(String[] namespace) {
        List<Identifier> found = new ArrayList<>();
        String page = "";
        do {
            String query = "tables?catalog_name=" + encoded(name) + "&schema_name=" + encoded(namespace[0])
                + "&omit_columns=true&omit_properties=true" + (page.isEmpty() ? "" : "&page_token=" + encoded(page));
            JsonNode answer = answered(request(query).GET(), query);
            for (JsonNode table : answer.path("tables")) {
                found.add(Identifier.of(namespace, table.path("name").asText()));
            }
            page = answer.path("next_page_token").asText("");
        } while (!page.isEmpty());
        return found.toArray(new Identifier[0]);
    }

    @Override
    public Table createTable(Identifier identifier, Column[] columns, Transform[] parts, Map<String, String> properties) {
        throw inSql("CREATE TABLE", identifier);
    }

    @Override
    public Table alterTable(Identifier identifier, TableChange... changes) {
        throw inSql("ALTER TABLE", identifier);
    }

    @Override
    public boolean dropTable(Identifier identifier) {
        throw inSql("DROP TABLE", identifier);
    }

    @Override
    public void renameTable(Identifier from, Identifier to) {
        throw inSql("ALTER TABLE", from);
    }

    private Table load(Identifier identifier, String operation) throws NoSuchTableException {
        String fullName = name + "." + String.join(".", identifier.namespace()) + "." + identifier.name();
        String path = "tables/" + encoded(fullName);
        HttpResponse<String> found = sent(request(path).GET());
        if (found.statusCode() == 404) {
            throw new NoSuchTableException(identifier);
        }
        JsonNode table = read(found, path);
        if (!"DELTA".equals(table.path("data_source_format").asText())) {
            throw new UnsupportedOperationException(fullName + " is a " + table.path("table_type").asText()
                + ", not a Delta table: Spark on this machine reads and writes Delta tables; use SQL on a warehouse");
        }
        ObjectNode asked = json.createObjectNode();
        asked.put("table_id", table.path("table_id").asText());
        asked.put("operation", operation);
        String credentials = "temporary-table-credentials";
        JsonNode given = answered(
            request(credentials).header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(asked.toString())),
            operation + " of " + fullName);
        TableCatalog delta = (TableCatalog) SparkSession.active().sessionState().catalogManager().v2SessionCatalog();
        return delta.loadTable(Identifier.of(new String[] {"delta"}, given.path("url").asText()));
    }

    private UnsupportedOperationException inSql(String statement, Identifier identifier) {
        return new UnsupportedOperationException(statement + " " + name + "." + identifier
            + ": tables are made, changed and dropped by SQL on a warehouse, not by Spark on this machine");
    }

    private HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(URI.create(host + API + path))
            .timeout(PATIENCE)
            .header("Authorization", "Bearer " + token);
    }

    private JsonNode answered(HttpRequest.Builder request, String what) {
        return read(sent(request), what);
    }

    private JsonNode read(HttpResponse<String> answer, String what) {
        try {
            JsonNode body = json.readTree(answer.body());
            if (answer.statusCode() != 200) {
                throw new IllegalStateException("Unity Catalog refuses " + what + " (" + answer.statusCode() + " "
                    + body.path("error_code").asText() + "): " + body.path("message").asText());
            }
            return body;
        } catch (IOException error) {
            throw new IllegalStateException("Unity Catalog answers " + what + " with no JSON", error);
        }
    }

    private HttpResponse<String> sent(HttpRequest.Builder request) {
        try {
            return http.send(request.build(), HttpResponse.BodyHandlers.ofString());
        } catch (IOException error) {
            throw new IllegalStateException("Unity Catalog does not answer at " + host + ": " + error, error);
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while asking Unity Catalog", error);
        }
    }

    private static String encoded(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
    }

    private static String needed(String variable) {
        String value = System.getenv(variable);
        if (value == null || value.isEmpty()) {
            throw new IllegalStateException(variable + " is not set: it says where Unity Catalog is, and as whom");
        }
        return value;
    }
}
