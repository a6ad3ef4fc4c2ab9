package io.cortado.server.cli;

import io.cortado.api.DeviceRates;
import io.cortado.api.DeviceStatus;
import io.cortado.api.Engine;
import io.cortado.api.EngineException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * {@code cortado doctor}: what this machine offers, what is missing, and the line that cures it.
 */
@Command(
        name = "doctor",
        description = "What this machine offers and what is missing.",
        mixinStandardHelpOptions = true,
        sortOptions = false)
final class DoctorCommand implements Callable<Integer> {
    private static final Runtime.Version WANTED = Runtime.Version.parse("25.0.3");
    private static final List<String> FLAGS =
            List.of("avx2", "fma", "f16c", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16");

    @Mixin EngineFlags engineFlags = new EngineFlags();

    @Option(
            names = "--measure-again",
            description = "measures the device's rates now, though they are known")
    boolean measureAgain;

    private boolean isHealthy = true;

    @Override
    public Integer call() throws IOException {
        System.out.println(
                "os       "
                        + property("os.name")
                        + " "
                        + property("os.version")
                        + " "
                        + property("os.arch"));
        jdk();
        cpu();
        memory();
        gpu();
        devices();
        rates();
        engine();
        System.out.println(isHealthy ? "all well" : "not all well: see the cure lines");
        return isHealthy ? 0 : 1;
    }

    private static String property(String name) {
        return System.getProperty(name, "?");
    }

    private void jdk() {
        boolean isOld = Runtime.version().compareToIgnoreOptional(WANTED) < 0;
        System.out.println("jdk      " + Runtime.version() + " in " + property("java.home"));
        if (isOld) {
            cure("JDK older than " + WANTED + " (JDK-8377811)", "install a newer JDK 25");
        }
    }

    private static void cpu() throws IOException {
        String info = read("/proc/cpuinfo");
        String flags = " " + first(info, "flags\\s*:\\s*(.*)") + " ";
        List<String> present = new ArrayList<>();
        for (String flag : FLAGS) {
            if (flags.contains(" " + flag + " ")) {
                present.add(flag);
            }
        }
        System.out.println(
                "cpu      "
                        + first(info, "model name\\s*:\\s*(.*)")
                        + ", "
                        + Runtime.getRuntime().availableProcessors()
                        + " processors: "
                        + String.join(" ", present));
    }

    private static void memory() throws IOException {
        String info = read("/proc/meminfo");
        System.out.println(
                "memory   "
                        + gib(first(info, "MemTotal:\\s*([0-9]+)"))
                        + " total, "
                        + gib(first(info, "MemAvailable:\\s*([0-9]+)"))
                        + " available; heap at most "
                        + gib(String.valueOf(Runtime.getRuntime().maxMemory() >> 10)));
    }

    private static String gib(String kib) {
        return kib.equals("?")
                ? kib
                : String.format(Locale.ROOT, "%.1f GiB", Double.parseDouble(kib) / (1 << 20));
    }

    private static void gpu() throws IOException {
        Path driver = Path.of("/proc/driver/nvidia/version");
        System.out.println(
                "gpu      "
                        + (Files.isReadable(driver)
                                ? Files.readString(driver).lines().findFirst().orElse("?")
                                : "no NVIDIA driver: the CPU serves"));
    }

    private static void devices() {
        try {
            for (DeviceStatus device : Engine.devices()) {
                String state = device.isAvailable() ? "" : device.name() + " not available: ";
                System.out.println("device   " + state + device.text());
            }
        } catch (IllegalStateException | LinkageError e) {
            System.out.println("device   none: " + e.getMessage());
        }
    }

    /** What plan's predictions are made of; measured once and kept. */
    private void rates() {
        try {
            DeviceRates rates = Engine.rates(engineFlags.options(), measureAgain);
            System.out.println("rates    " + PlanText.rates(rates));
        } catch (EngineException | LinkageError | IllegalStateException e) {
            System.out.println("rates    none: " + e.getMessage());
        }
    }

    /** The whole chain on the demo model: native library, device, weights, tokenizer. */
    private void engine() throws IOException {
        try (Engine engine = engineFlags.open(null)) {
            System.out.println("engine   " + engine.model().device());
            System.out.println("cache    " + EngineFlags.cache() + sizeOf(EngineFlags.cache()));
        } catch (EngineException | LinkageError | IllegalStateException e) {
            cure("the engine does not start: " + e.getMessage(), "run ./cortado once to build it");
        }
    }

    private static String sizeOf(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            return "";
        }
        try (Stream<Path> files = Files.walk(folder)) {
            long bytes =
                    files.map(Path::toFile)
                            .mapToLong(file -> file.isFile() ? file.length() : 0)
                            .sum();
            return String.format(Locale.ROOT, " (%.1f MiB)", bytes / 1048576.0);
        }
    }

    private void cure(String what, String line) {
        isHealthy = false;
        System.out.println("         " + what);
        System.out.println("         cure: " + line);
    }

    private static String read(String file) throws IOException {
        Path path = Path.of(file);
        return Files.isReadable(path) ? Files.readString(path) : "";
    }

    private static String first(String text, String pattern) {
        Matcher matcher = Pattern.compile(pattern).matcher(text);
        return matcher.find() ? matcher.group(1) : "?";
    }
}
