import com.sun.management.OperatingSystemMXBean;
import java.io.File;
import java.lang.management.ManagementFactory;
import java.lang.reflect.Proxy;
import java.util.Optional;
import java.util.Properties;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.server.util.KafkaScheduler;
import org.apache.kafka.storage.internals.log.Cleaner;
import org.apache.kafka.storage.internals.log.LogConfig;
import org.apache.kafka.storage.internals.log.LogDirFailureChannel;
import org.apache.kafka.storage.internals.log.LogToClean;
import org.apache.kafka.storage.internals.log.ProducerStateManagerConfig;
import org.apache.kafka.storage.internals.log.SkimpyOffsetMap;
import org.apache.kafka.storage.internals.log.UnifiedLog;
import org.apache.kafka.storage.internals.utils.Throttler;
import org.apache.kafka.storage.log.metrics.BrokerTopicStats;

/**
 * Cleans partition directories with Apache Kafka's own cleaner, one after another, each from its start to its active segment.
 * Arguments: topic settings as name=value,name=value; the time in milliseconds that counts as now; directories.
 * Prints a line for each: the CPU seconds of the whole process, the seconds by the clock, the first offset that was not cleaned.
 */
public class CleanLog {
    public static void main(String[] args) throws Exception {
        Properties properties = new Properties();
        for (String setting : args[0].split(",")) properties.setProperty(setting.split("=")[0], setting.split("=")[1]);
        LogConfig config = new LogConfig(properties);
        long now = Long.parseLong(args[1]);
        // Producers must not expire, whenever the records were written.
        Time time = (Time) Proxy.newProxyInstance(CleanLog.class.getClassLoader(), new Class<?>[] {Time.class}, (proxy, method, arguments) ->
            method.getName().equals("milliseconds") ? now : method.invoke(Time.SYSTEM, arguments));
        OperatingSystemMXBean system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        KafkaScheduler scheduler = new KafkaScheduler(1);
        scheduler.startup();
        Throttler throttler = new Throttler(Double.MAX_VALUE, 300, "cleaner-io", "bytes", Time.SYSTEM);
        Cleaner cleaner = new Cleaner(
            0, new SkimpyOffsetMap(128 * 1024 * 1024), 256 * 1024, 1024 * 1024 + 12, 0.9, throttler, Time.SYSTEM, partition -> { });
        for (int index = 2; index < args.length; index++) {
            UnifiedLog log = UnifiedLog.create(
                new File(args[index]), config, 0L, 0L, scheduler, new BrokerTopicStats(), time, 15 * 60 * 1000,
                new ProducerStateManagerConfig(Integer.MAX_VALUE, false), 600_000, new LogDirFailureChannel(1), true, Optional.empty());
            log.updateHighWatermark(log.logEndOffset());
            long uncleanable = Math.min(log.lastStableOffset(), log.activeSegment().baseOffset());
            long cpuBefore = system.getProcessCpuTime();
            long before = System.nanoTime();
            long end = cleaner.doClean(new LogToClean(log, 0L, uncleanable, false), now).getKey();
            double seconds = (System.nanoTime() - before) / 1e9;
            System.out.println((system.getProcessCpuTime() - cpuBefore) / 1e9 + " " + seconds + " " + end);
            log.close();
        }
        scheduler.shutdown();
    }
}
