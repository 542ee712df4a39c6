package millstream.nexmark;

import com.sun.management.OperatingSystemMXBean;
import java.io.BufferedWriter;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableConfig;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.types.Row;
import org.apache.flink.util.CloseableIterator;

/**
 * Runs one Nexmark query in a mini cluster of this process: {@code Main EVENTS SHORT TABLES QUERY RUNS
 * [RESULTS]}.
 *
 * <p>EVENTS and SHORT are files of many and few events; TABLES and QUERY are files of SQL, the latter
 * ends with one INSERT INTO results. A first run over all events warms up; with RESULTS it writes the
 * query's changelog there, a line for each row: kind, then the fields, separated by tabs. Each of RUNS
 * runs then reads EVENTS and SHORT in turn, and each is printed as "wall seconds, CPU seconds" of this
 * process. What both have in common (planning, the cluster) can be taken off.
 *
 * <p>{@code Main --results (EVENTS TABLES QUERY RESULTS)...} only writes the changelogs of queries.
 */
public final class Main {
  private Main() {}

  public static void main(String[] args) throws Exception {
    if (args[0].equals("--results")) {
      for (int i = 1; i < args.length; i += 4) {
        writeResults(args[i], read(args[i + 1]), read(args[i + 2]), Path.of(args[i + 3]));
      }
      System.exit(0);
    }
    String[] files = {args[0], args[1]};
    String tables = read(args[2]);
    String query = read(args[3]);
    int runs = Integer.parseInt(args[4]);
    if (args.length > 5) {
      writeResults(args[0], tables, query, Path.of(args[5]));
    } else {
      run(args[0], tables, query);
    }
    for (int run = 0; run < runs; ++run) {
      for (String file : files) System.out.println(run(file, tables, query));
    }
    System.exit(0); // the mini cluster leaves threads behind
  }

  private static String read(String path) throws Exception {
    return Files.readString(Path.of(path));
  }

  private static String run(String events, String tables, String query) throws Exception {
    OperatingSystemMXBean system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    TableEnvironment environment = environment();
    String insert = prepare(environment, events, tables, query);
    System.gc();
    long wall = System.nanoTime();
    long cpu = system.getProcessCpuTime();
    environment.executeSql(insert).await();
    return String.format(
        Locale.ROOT,
        "%.3f %.3f",
        (System.nanoTime() - wall) / 1e9,
        (system.getProcessCpuTime() - cpu) / 1e9);
  }

  private static TableEnvironment environment() {
    TableEnvironment environment =
        TableEnvironment.create(EnvironmentSettings.newInstance().inStreamingMode().build());
    TableConfig config = environment.getConfig();
    config.set("parallelism.default", "1");
    config.set("pipeline.object-reuse", "true");
    config.set("state.backend.type", "hashmap");
    config.set("table.local-time-zone", "UTC");
    // As nexmark/nexmark configures Flink.
    config.set("table.exec.mini-batch.enabled", "true");
    config.set("table.exec.mini-batch.allow-latency", "2s");
    config.set("table.exec.mini-batch.size", "50000");
    config.set("table.optimizer.distinct-agg.split.enabled", "true");
    // Memory that the operators of a mini cluster may use; it has 128 MB otherwise.
    config.set("taskmanager.memory.managed.size", "512m");
    return environment;
  }

  /** Runs all statements but the last, the INSERT, which it returns. */
  private static String prepare(TableEnvironment environment, String events, String tables, String query) {
    String located = tables.replace("${EVENTS}", Path.of(events).toUri().toString());
    List<String> statements = statements(located + query);
    for (String statement : statements.subList(0, statements.size() - 1)) environment.executeSql(statement);
    return statements.get(statements.size() - 1);
  }

  private static List<String> statements(String text) {
    List<String> out = new ArrayList<>();
    String code = text.replaceAll("--[^\n]*", "");
    Arrays.stream(code.split(";")).map(String::strip).filter(s -> !s.isEmpty()).forEach(out::add);
    return out;
  }

  private static void writeResults(String events, String tables, String query, Path path)
      throws Exception {
    TableEnvironment environment = environment();
    String insert = prepare(environment, events, tables, query);
    String select = insert.replaceFirst("(?i)INSERT\\s+INTO\\s+results\\s", "");
    try (BufferedWriter out = Files.newBufferedWriter(path);
        CloseableIterator<Row> rows = environment.executeSql(select).collect()) {
      while (rows.hasNext()) {
        Row row = rows.next();
        out.write(row.getKind().shortString());
        for (int i = 0; i < row.getArity(); ++i) {
          out.write('\t');
          out.write(String.valueOf(row.getField(i)));
        }
        out.write('\n');
      }
    }
  }
}
