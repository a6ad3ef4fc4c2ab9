package io.cortado.server;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.DoubleAdder;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.DoubleSupplier;
import java.util.function.Supplier;

/**
 * A small registry that renders Prometheus text. A metric may have several names: ours, and those
 * that dashboards made for vLLM read.
 */
final class Metrics {
    private final List<Family> families = new ArrayList<>();
    private final String label;

    /**
     * @param label the label pairs that every line carries, such as {@code model_name="x"}
     */
    Metrics(String label) {
        this.label = label;
    }

    /** One metric: its names, what it counts, and its lines. */
    private record Family(List<String> names, String help, String type, Body body) {}

    private interface Body {
        void render(String name, StringBuilder out);
    }

    /** A value that is read when it is asked for. */
    void gauge(String help, DoubleSupplier value, String... names) {
        add(names, help, "gauge", (name, out) -> line(out, name, "", value.getAsDouble()));
    }

    void counterOf(String help, DoubleSupplier value, String... names) {
        add(names, help, "counter", (name, out) -> line(out, name, "", value.getAsDouble()));
    }

    /** Facts as labels of a gauge that is 1. */
    void info(String help, String labels, String... names) {
        add(names, help, "gauge", (name, out) -> line(out, name, labels, 1));
    }

    /** A gauge with a line for each of these label pairs. */
    void gauges(String help, Map<String, DoubleSupplier> values, String... names) {
        lines(names, help, "gauge", values);
    }

    /** The same of counters that somebody else keeps. */
    void countersOf(String help, Map<String, DoubleSupplier> values, String... names) {
        lines(names, help, "counter", values);
    }

    /** The same of gauges whose lines are read all at once when they are asked for. */
    void gaugesOf(String help, Supplier<Map<String, Double>> values, String... names) {
        read(names, help, "gauge", values);
    }

    /** The same of counters. */
    void countersOf(String help, Supplier<Map<String, Double>> values, String... names) {
        read(names, help, "counter", values);
    }

    private void read(
            String[] names, String help, String type, Supplier<Map<String, Double>> values) {
        add(
                names,
                help,
                type,
                (name, out) ->
                        values.get().forEach((label, value) -> line(out, name, label, value)));
    }

    private void lines(
            String[] names, String help, String type, Map<String, DoubleSupplier> values) {
        add(
                names,
                help,
                type,
                (name, out) ->
                        values.forEach(
                                (label, value) -> line(out, name, label, value.getAsDouble())));
    }

    /** A histogram that somebody else keeps; read whole when it is asked for. */
    void histogramOf(String help, List<Integer> bounds, Supplier<Counts> counts, String... names) {
        add(
                names,
                help,
                "histogram",
                (name, out) -> {
                    Counts now = counts.get();
                    long total = 0;
                    for (int i = 0; i <= bounds.size(); i++) {
                        total += now.counts().get(i);
                        String bound = i == bounds.size() ? "+Inf" : bounds.get(i) + ".0";
                        line(out, name + "_bucket", "le=\"" + bound + "\"", total);
                    }
                    line(out, name + "_sum", "", now.sum());
                    line(out, name + "_count", "", total);
                });
    }

    /**
     * Of a histogram that somebody else keeps.
     *
     * @param counts of each bucket alone, the last one unbounded
     */
    record Counts(List<Long> counts, double sum) {}

    /** A counter per value of one label; the values must come from a fixed set. */
    Counter counter(String help, String labelName, String... names) {
        Counter counter = new Counter(labelName);
        add(names, help, "counter", (name, out) -> counter.render(this, name, out));
        return counter;
    }

    Histogram histogram(String help, double[] bounds, String... names) {
        Histogram histogram = new Histogram(bounds);
        add(names, help, "histogram", (name, out) -> histogram.render(this, name, out));
        return histogram;
    }

    private void add(String[] names, String help, String type, Body body) {
        families.add(new Family(List.of(names), help, type, body));
    }

    String render() {
        StringBuilder out = new StringBuilder(8192);
        for (Family family : families) {
            for (String name : family.names()) {
                out.append("# HELP ").append(name).append(' ').append(family.help()).append('\n');
                out.append("# TYPE ").append(name).append(' ').append(family.type()).append('\n');
                family.body().render(name, out);
            }
        }
        return out.toString();
    }

    private void line(StringBuilder out, String name, String more, double value) {
        out.append(name).append('{').append(label);
        out.append(more.isEmpty() ? "" : ",").append(more).append("} ");
        out.append(number(value)).append('\n');
    }

    private static String number(double value) {
        return value == Math.rint(value) && Math.abs(value) < 1e15
                ? String.valueOf((long) value)
                : String.format(Locale.ROOT, "%s", value);
    }

    /** A label's value in Prometheus text. */
    static String quoted(String value) {
        return '"' + value.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n") + '"';
    }

    /** Counts per value of one label. */
    static final class Counter {
        private final String labelName;
        private final Map<String, LongAdder> values = new ConcurrentSkipListMap<>();

        private Counter(String labelName) {
            this.labelName = labelName;
        }

        /** The value is there from the start, at zero. */
        Counter with(String labelValue) {
            values.computeIfAbsent(labelValue, _ -> new LongAdder());
            return this;
        }

        void add(String labelValue, long count) {
            values.computeIfAbsent(labelValue, _ -> new LongAdder()).add(count);
        }

        private void render(Metrics metrics, String name, StringBuilder out) {
            values.forEach((value, count) ->
                    metrics.line(out, name, labelName + "=" + quoted(value), count.sum()));
        }
    }

    /** Counts of observations up to fixed bounds. */
    static final class Histogram {
        private final double[] bounds;
        private final AtomicLongArray counts;
        private final DoubleAdder sum = new DoubleAdder();

        private Histogram(double[] bounds) {
            this.bounds = bounds.clone();
            this.counts = new AtomicLongArray(bounds.length + 1);
        }

        void observe(double value) {
            observe(value, 1);
        }

        /** The same value {@code times} times. */
        void observe(double value, int times) {
            int bucket = 0;
            while (bucket < bounds.length && value > bounds[bucket]) {
                bucket++;
            }
            counts.addAndGet(bucket, times);
            sum.add(value * times);
        }

        private void render(Metrics metrics, String name, StringBuilder out) {
            long total = 0;
            for (int i = 0; i <= bounds.length; i++) {
                total += counts.get(i);
                String bound = i == bounds.length ? "+Inf" : String.valueOf(bounds[i]);
                metrics.line(out, name + "_bucket", "le=\"" + bound + "\"", total);
            }
            metrics.line(out, name + "_sum", "", sum.sum());
            metrics.line(out, name + "_count", "", total);
        }
    }
}
