package io.cortado.bench.chaos;

import java.util.ArrayList;
import java.util.List;

/** A straight line through samples over time, by least squares. */
final class Fit {
    private record Sample(double seconds, double value) {}

    private final List<Sample> samples = new ArrayList<>();

    void add(double seconds, double value) {
        samples.add(new Sample(seconds, value));
    }

    int size() {
        return samples.size();
    }

    /** Without the first part of the time, in which caches fill and code is compiled. */
    Fit after(double part) {
        Fit rest = new Fit();
        if (samples.isEmpty()) {
            return rest;
        }
        double first = samples.getFirst().seconds();
        double from = first + part * (samples.getLast().seconds() - first);
        samples.stream().filter(s -> s.seconds() >= from).forEach(rest.samples::add);
        return rest;
    }

    double mean() {
        return samples.stream().mapToDouble(Sample::value).average().orElse(0);
    }

    /** Per second; 0 where a line is not determined. */
    double slope() {
        double meanX = samples.stream().mapToDouble(Sample::seconds).average().orElse(0);
        double meanY = mean();
        double xy = 0;
        double xx = 0;
        for (Sample s : samples) {
            xy += (s.seconds() - meanX) * (s.value() - meanY);
            xx += (s.seconds() - meanX) * (s.seconds() - meanX);
        }
        return xx == 0 ? 0 : xy / xx;
    }

    /** What the line gains from the first sample to the last. */
    double gain() {
        return samples.isEmpty()
                ? 0
                : slope() * (samples.getLast().seconds() - samples.getFirst().seconds());
    }
}
