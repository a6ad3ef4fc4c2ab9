package io.cortado.bench.sim;

import io.cortado.bench.BenchException;
import io.cortado.layout.Layout;
import io.cortado.layout.LayoutPlan;
import io.cortado.layout.LayoutSearch;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** Layouts as a command line names them: {@code tp:4}, {@code ep:8}, {@code apart:6:2}. */
public final class LayoutText {
    private static final int MOST_RANKS = 4096;

    private LayoutText() {}

    /**
     * Those that differ in their micro-batches alone: 1 and 2 of ep, 1 to 4 of apart, or as many as
     * a third number says. Without numbers those that decode best by counting.
     *
     * @return empty where none fits
     */
    public static List<? extends Layout> read(String text, LayoutSearch search) {
        String[] parts = text.split(":", -1);
        int[] numbers = new int[parts.length - 1];
        for (int i = 0; i < numbers.length; i++) {
            numbers[i] = number(text, parts[i + 1]);
        }
        return switch (parts[0] + numbers.length) {
            case "tp0" -> tensor(search.tensorParallel());
            case "tp1" -> List.of(new Layout.Tensor(numbers[0]));
            case "ep0" -> spread(search.expertParallel());
            case "ep1" -> spread(numbers[0]);
            case "apart0" -> apart(search.fastestApart());
            case "apart2" -> apart(numbers[0], numbers[1]);
            case "apart3" -> List.of(new Layout.Apart(numbers[0], numbers[1], numbers[2]));
            default -> throw malformed(text);
        };
    }

    private static int number(String text, String digits) {
        try {
            int value = Integer.parseInt(digits);
            if (value >= 1 && value <= MOST_RANKS) {
                return value;
            }
        } catch (NumberFormatException e) {
            throw malformed(text);
        }
        throw malformed(text);
    }

    private static BenchException malformed(String text) {
        return new BenchException(
                "--layout must be tp, ep or apart, or tp:N, ep:N, apart:A:E or apart:A:E:M, of 1 to"
                        + " 4096 each: layout="
                        + text);
    }

    private static List<Layout> tensor(@Nullable LayoutPlan plan) {
        return plan == null ? List.of() : List.of(plan.layout());
    }

    private static List<Layout.Spread> spread(@Nullable LayoutPlan plan) {
        return plan == null ? List.of() : spread(plan.layout().ranks());
    }

    private static List<Layout.Spread> spread(int ranks) {
        return List.of(new Layout.Spread(ranks, 1), new Layout.Spread(ranks, 2));
    }

    private static List<Layout.Apart> apart(@Nullable LayoutPlan plan) {
        return plan != null && plan.layout() instanceof Layout.Apart(int a, int e, int _)
                ? apart(a, e)
                : List.of();
    }

    private static List<Layout.Apart> apart(int attention, int experts) {
        return IntStream.rangeClosed(1, LayoutSearch.MOST_MICRO_BATCHES)
                .mapToObj(micro -> new Layout.Apart(attention, experts, micro))
                .toList();
    }
}
