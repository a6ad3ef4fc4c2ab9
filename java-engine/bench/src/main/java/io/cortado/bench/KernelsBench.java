package io.cortado.bench;

import io.cortado.bench.kernels.KernelBed;
import io.cortado.bench.kernels.KernelCase;
import io.cortado.bench.kernels.KernelWork;
import io.cortado.device.Device;
import io.cortado.device.NativeException;
import io.cortado.device.Probe;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Each kernel against its floor: the larger of bytes over bandwidth and operations over the peak
 * rate, both measured right before and right after it.
 */
@Command(
        name = "kernels",
        description = "Each kernel's time against the floor of this machine, in the same run.",
        mixinStandardHelpOptions = true)
class KernelsBench extends BenchCommand {
    private static final double SAMPLE_SECONDS = 0.05;
    private static final int WARM_UP = 3;

    @Option(names = "--kernel", paramLabel = "REGEX", description = "only cases that match")
    Pattern kernel = Pattern.compile("");

    private record Peaks(double bandwidth, double bf16, double f32) {
        static Peaks measure(Device device) {
            return new Peaks(
                    device.probe(Probe.READ_BANDWIDTH),
                    device.probe(Probe.BF16_FLOPS),
                    device.probe(Probe.F32_FLOPS));
        }

        /** The better of two: a floor is what the machine can do, not what it did once. */
        Peaks max(Peaks other) {
            return new Peaks(
                    Math.max(bandwidth, other.bandwidth),
                    Math.max(bf16, other.bf16),
                    Math.max(f32, other.f32));
        }

        double floorSeconds(KernelWork work) {
            double peak = work.arithmetic() == Probe.BF16_FLOPS ? bf16 : f32;
            return Math.max(work.bytes() / bandwidth, work.flops() / peak);
        }
    }

    List<KernelCase> cases() {
        return KernelCase.all();
    }

    @Override
    void run(Results results) throws Exception {
        List<KernelCase> cases =
                cases().stream().filter(c -> kernel.matcher(c.name()).find()).toList();
        require(!cases.isEmpty(), "kernel", "a regex that some case matches", kernel.pattern());
        try (Device device = Device.open(engine.device, engine.threads, engine.isa)) {
            out.println("device: " + device.info());
            Table table =
                    new Table(
                            "kernel",
                            "us",
                            "MB",
                            "MFLOP",
                            "GB/s",
                            "GFLOP/s",
                            "floor us",
                            "of floor");
            Peaks before = Peaks.measure(device);
            Peaks best = before;
            for (KernelCase one : cases) {
                try {
                    Measured measured = measure(device, one);
                    Peaks after = Peaks.measure(device);
                    report(one.name(), measured, before.max(after), table, results);
                    compare(device, one, results);
                    best = best.max(after);
                    before = after;
                } catch (NativeException e) {
                    results.fail(one.name() + ": " + e.getMessage());
                }
            }
            table.print(out);
            results.put("probe_read_bandwidth", best.bandwidth() / 1e9, "GB/s");
            results.put("probe_bf16", best.bf16() / 1e9, "GFLOP/s");
            results.put("probe_f32", best.f32() / 1e9, "GFLOP/s");
        }
    }

    /** A case and its peer in turn, so that both see the same machine. */
    private void compare(Device device, KernelCase one, Results results) {
        KernelCase peer = one.peer();
        if (peer == null) {
            return;
        }
        try (KernelBed bed = new KernelBed(device, seed)) {
            KernelWork own = one.prepare().apply(bed);
            KernelWork others = peer.prepare().apply(bed);
            double[] ratios = new double[runs];
            sample(bed, own, 1);
            sample(bed, others, 1);
            for (int i = 0; i < runs; i++) {
                ratios[i] = sample(bed, others, 1) / sample(bed, own, 1);
            }
            double ratio = Summary.of(ratios).median();
            results.put(one.name() + "_of_" + KernelCase.word(peer), ratio, "ratio");
        }
    }

    private record Measured(KernelWork work, Summary seconds) {}

    private Measured measure(Device device, KernelCase one) {
        try (KernelBed bed = new KernelBed(device, seed)) {
            KernelWork work = one.prepare().apply(bed);
            double once = 0;
            for (int i = 0; i < WARM_UP; i++) {
                once = sample(bed, work, work.variants());
            }
            int repeats = (int) Math.clamp(SAMPLE_SECONDS / once, work.variants(), 100_000);
            double[] seconds = new double[runs];
            for (int i = 0; i < runs; i++) {
                seconds[i] = sample(bed, work, repeats);
            }
            return new Measured(work, Summary.of(seconds));
        }
    }

    private static double sample(KernelBed bed, KernelWork work, int repeats) {
        long begin = System.nanoTime();
        for (int i = 0; i < repeats; i++) {
            work.enqueue().accept(i % work.variants());
        }
        bed.stream().synchronize();
        return (System.nanoTime() - begin) / 1e9 / repeats;
    }

    private static void report(
            String name, Measured measured, Peaks peaks, Table table, Results results) {
        KernelWork work = measured.work();
        double seconds = measured.seconds().median();
        double floor = peaks.floorSeconds(work);
        table.row(
                name,
                String.format(
                        Locale.ROOT,
                        "%.1f ±%.0f%%",
                        seconds * 1e6,
                        100 * measured.seconds().spread()),
                number(work.bytes() / 1e6),
                number(work.flops() / 1e6),
                number(work.bytes() / seconds / 1e9),
                number(work.flops() / seconds / 1e9),
                number(floor * 1e6),
                String.format(Locale.ROOT, "%.2f", floor / seconds));
        results.put(name + "_of_floor", floor / seconds, "ratio");
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, "%.1f", value);
    }
}
