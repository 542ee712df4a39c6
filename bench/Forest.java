// The reference implementation of random cut forests, for `./mill bench sql`: the points of
// bench/sql_state_main.cc, scored and then learned one by one, on one thread. Prints the CPU seconds
// of that thread for the rows behind the first ones, in which the machine warms up.
import com.amazon.randomcutforest.RandomCutForest;
import java.lang.management.ManagementFactory;

public class Forest {
  static long state = 12345;
  static long row = 0;

  static double noise() {
    state = state * 6364136223846793005L + 1442695040888963407L;
    return (state >>> 11) * 0x1.0p-53 - 0.5;
  }

  static void next(float[] point) {
    double angle = 6.283185307179586 * (row % 360) / 360;
    point[0] = (float) (10 * Math.cos(angle) + noise());
    point[1] = (float) (5 * Math.sin(angle) + noise());
    if (++row % 170 == 0) point[0] += 40;
  }

  public static void main(String[] arguments) {
    long rows = Long.parseLong(arguments[0]);
    RandomCutForest forest =
        RandomCutForest.builder().dimensions(2).numberOfTrees(100).sampleSize(256).outputAfter(256)
            .timeDecay(1e-5).parallelExecutionEnabled(false).randomSeed(42).build();
    var threads = ManagementFactory.getThreadMXBean();
    float[] point = new float[2];
    double sum = 0;
    long start = 0;
    for (long i = -20_000; i < rows; ++i) {
      if (i == 0) {
        start = threads.getCurrentThreadCpuTime();
        sum = 0;
      }
      next(point);
      sum += forest.getAnomalyScore(point);
      forest.update(point);
    }
    double cpu = (threads.getCurrentThreadCpuTime() - start) * 1e-9;
    System.out.printf("{\"cpu\": %f, \"rows\": %d, \"mean\": %f}%n", cpu, rows, sum / rows);
  }
}
