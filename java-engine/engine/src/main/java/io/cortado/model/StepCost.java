package io.cortado.model;

import io.cortado.device.Curve;
import io.cortado.device.DType;
import io.cortado.device.Probe;
import io.cortado.device.Rate;
import io.cortado.device.WeightFormat;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * What a step takes on a device, from what the device takes for each of its operators: the weights
 * of this model by their formats, at the rate of so many rows; keys and values of each sequence;
 * passes over rows; and what an operation costs whatever it does. Describe a step by {@link #begin}
 * and {@link #sequence}, then ask. One thread.
 */
public final class StepCost {
    /** Where the time goes. */
    public enum Operator {
        LINEAR,
        ATTENTION,
        ROWS,
        HEAD,
        SAMPLING,
        OVERHEAD
    }

    /**
     * Operations of a step beside those of the layers and the head: inputs, and the end's event.
     */
    private static final int OTHER_OPERATIONS = 4;

    /** Of a mixture of experts: route, plan, both products, combine. */
    private static final int EXPERT_OPERATIONS = 4;

    /** Of the head: two rows gathered, their norm. */
    private static final int HEAD_ROW_OPERATIONS = 3;

    private final DecoderShape shape;
    private final DType kvDtype;
    private final Map<Curve, Double> layerWeights;
    private final Map<Curve, Double> headWeights;
    private final Map<Curve, Double> expertWeights;

    /** The same on the device of all else, of which hotShare is computed there. */
    private final Map<Curve, Double> hotWeights;

    private final double hotShare;
    private final int layerMatrices;
    private final int normsPerLayer;
    private final Map<Integer, Integer> layersByWindow = new HashMap<>();
    private final DecodeRates decode;
    private final Curve prefill;
    private final Curve embedding;
    private final Curve norm;
    private final Curve rope;
    private final Curve activation;
    private final Curve draw;
    private final double shared;
    private final double single;
    private final double turnaround;
    private final double weightBytes;
    private final double expertBytes;
    private final Peak peak;

    /** Of experts on a device of their own, one after the other with all else; null: there. */
    private final @Nullable Peak expertPeak;

    /** To and from that device; null as it. */
    private final @Nullable Crossing crossing;

    /**
     * A layer's way to the experts' device and back: its rows to host memory, their sums from it,
     * at the same rate; and each device waits for the other once.
     *
     * @param copy seconds by bytes
     */
    private record Crossing(Curve copy, double bothWaits, long bytesOfRow, long bytesOfSum) {
        double seconds(int tokens) {
            return bothWaits
                    + copy.at((double) tokens * bytesOfRow)
                    + copy.at((double) tokens * bytesOfSum);
        }
    }

    /** What a device does at best. */
    private record Peak(double bytesPerSecond, double flopsPerSecond) {
        static Peak of(Function<Rate, Curve> rates, DType dtype) {
            Probe arithmetic = dtype == DType.F32 ? Probe.F32_FLOPS : Probe.BF16_FLOPS;
            return new Peak(
                    rates.apply(new Rate.Peak(Probe.READ_BANDWIDTH)).at(1),
                    rates.apply(new Rate.Peak(arithmetic)).at(1));
        }

        double seconds(double bytes, double flops) {
            return Math.max(bytes / bytesPerSecond, flops / flopsPerSecond);
        }
    }

    // Of the step that is described.
    private int tokens;
    private int rows;
    private int numDecodes;
    private int[] decodeKeys = new int[16];
    private double prefillSeconds;
    private double prefillPairs;
    private double prefillKeys;

    /**
     * @param rates measured where they are not known yet
     * @param expertRates of the experts' own device, which rows and their sums are copied to and
     *     from; null: they are on the same
     * @param hotShare of what tokens choose, that is not on that device; it is computed meanwhile
     */
    public StepCost(
            ModelConfig config,
            WeightPlan weights,
            Activations activations,
            KvType kvType,
            Function<Rate, Curve> rates,
            @Nullable Function<Rate, Curve> expertRates,
            double hotShare) {
        shape = config.shape();
        DType dtype = activations.dtype();
        kvDtype = kvType.dtype(activations);
        List<WeightPlan.Matrix> matrices = weights.matrices();
        layerWeights = weightsOf(matrices, StepCost::isOfLayer, dtype, rates);
        headWeights = weightsOf(matrices, kind -> kind == DecoderParts.Kind.HEAD, dtype, rates);
        this.hotShare = hotShare;
        expertWeights =
                weightsOf(
                        matrices,
                        kind -> kind == DecoderParts.Kind.EXPERT,
                        dtype,
                        expertRates == null ? rates : expertRates);
        hotWeights =
                hotShare == 0
                        ? Map.of()
                        : weightsOf(
                                matrices, kind -> kind == DecoderParts.Kind.EXPERT, dtype, rates);
        layerMatrices =
                (int)
                        matrices.stream()
                                .map(WeightPlan.Matrix::kind)
                                .filter(StepCost::isOfLayer)
                                .count();
        DecoderShape.NormPlaces places = shape.norms().places();
        normsPerLayer =
                2 + (places.attentionOut() == null ? 0 : 1) + (places.mlpOut() == null ? 0 : 1);
        shape.windows().forEach(window -> layersByWindow.merge(window, 1, Integer::sum));
        Rate.Attention attention =
                new Rate.Attention(
                        shape.numQHeads(),
                        shape.numKvHeads(),
                        shape.headDim(),
                        shape.latent() == null ? 0 : shape.latent().rank(),
                        dtype,
                        kvDtype);
        decode = new DecodeRates(attention, rates);
        prefill = rates.apply(new Rate.Prefill(attention));
        embedding = rates.apply(new Rate.Rows(Rate.RowOperation.EMBEDDING, dtype));
        norm = rates.apply(new Rate.Rows(Rate.RowOperation.NORM, dtype));
        rope = rates.apply(new Rate.Rows(Rate.RowOperation.ROPE, dtype));
        activation = rates.apply(new Rate.Rows(Rate.RowOperation.ACTIVATION, dtype));
        draw = rates.apply(new Rate.Draw());
        shared = rates.apply(new Rate.Overhead(true)).at(1);
        single = rates.apply(new Rate.Overhead(false)).at(1);
        turnaround = rates.apply(new Rate.Turnaround()).at(1);
        weightBytes = bytes(matrices, kind -> isOfLayer(kind) || kind == DecoderParts.Kind.HEAD);
        expertBytes = bytes(matrices, kind -> kind == DecoderParts.Kind.EXPERT);
        peak = Peak.of(rates, dtype);
        if (expertRates == null) {
            expertPeak = null;
            crossing = null;
        } else {
            expertPeak = Peak.of(expertRates, dtype);
            crossing =
                    new Crossing(
                            rates.apply(new Rate.HostCopy()),
                            turnaround + expertRates.apply(new Rate.Turnaround()).at(1),
                            (long) shape.hiddenSize() * dtype.bytes(),
                            (long) shape.hiddenSize() * Float.BYTES);
        }
    }

    private static boolean isOfLayer(DecoderParts.Kind kind) {
        return switch (kind) {
            case QKV, OUTPUT, GATE_UP, DOWN, ROUTER, FEATURES -> true;
            case EMBEDDING, EXPERT, HEAD -> false;
        };
    }

    private static double bytes(
            List<WeightPlan.Matrix> matrices, Predicate<DecoderParts.Kind> counts) {
        return matrices.stream()
                .filter(matrix -> counts.test(matrix.kind()))
                .mapToDouble(WeightPlan.Matrix::bytes)
                .sum();
    }

    /** Numbers of weights by the rate of their format. */
    private static Map<Curve, Double> weightsOf(
            List<WeightPlan.Matrix> matrices,
            Predicate<DecoderParts.Kind> counts,
            DType dtype,
            Function<Rate, Curve> rates) {
        Map<WeightFormat, Double> elements = new EnumMap<>(WeightFormat.class);
        for (WeightPlan.Matrix matrix : matrices) {
            if (counts.test(matrix.kind())) {
                for (WeightPlan.Stored part : matrix.parts()) {
                    elements.merge(part.format(), (double) part.elements(), Double::sum);
                }
            }
        }
        Map<Curve, Double> byRate = new HashMap<>();
        elements.forEach(
                (format, count) -> byRate.put(rates.apply(new Rate.Linear(format, dtype)), count));
        return byRate;
    }

    /**
     * Starts the description of a step.
     *
     * @param tokens that go through the layers
     * @param rows of logits that are drawn from
     */
    public void begin(int tokens, int rows) {
        this.tokens = tokens;
        this.rows = rows;
        numDecodes = 0;
        prefillSeconds = 0;
        prefillPairs = 0;
        prefillKeys = 0;
    }

    /**
     * A sequence of the step.
     *
     * @param newTokens of it in this step
     * @param keys that its last token sees, its own included
     */
    public void sequence(int newTokens, int keys) {
        if (newTokens > 1) {
            for (Map.Entry<Integer, Integer> entry : layersByWindow.entrySet()) {
                double pairs = entry.getValue() * pairs(newTokens, keys, entry.getKey());
                prefillPairs += pairs;
                prefillSeconds += pairs * prefill.within(newTokens);
                prefillKeys += entry.getValue() * (double) seen(keys, entry.getKey());
            }
            return;
        }
        if (numDecodes == decodeKeys.length) {
            decodeKeys = Arrays.copyOf(decodeKeys, 2 * numDecodes);
        }
        decodeKeys[numDecodes++] = keys;
    }

    /** Pairs of a new token and a key that it sees: row j sees keys - newTokens + 1 + j. */
    static double pairs(int newTokens, int keys, int window) {
        double first = (double) keys - newTokens + 1;
        double all = newTokens * (first + keys) / 2.0;
        if (window == 0 || keys <= window) {
            return all;
        }
        double cut = Math.min(newTokens, keys - (double) window); // rows that see more
        return all - cut * (keys - cut + 1 + keys - 2.0 * window) / 2;
    }

    /** Seconds of the step. */
    public double seconds() {
        double sum = 0;
        for (Operator operator : Operator.values()) {
            sum += seconds(operator);
        }
        return sum;
    }

    /** Seconds of the step's operations of one kind. */
    public double seconds(Operator operator) {
        return switch (operator) {
            case LINEAR -> weighted(layerWeights, tokens) + expertSeconds();
            case ATTENTION -> attention();
            case ROWS -> rowSeconds();
            case HEAD -> rows == 0 ? 0 : weighted(headWeights, rows) + headRowSeconds();
            case SAMPLING -> rows == 0 ? 0 : draw.at(rows) * shape.vocabSize();
            case OVERHEAD -> overhead();
        };
    }

    /**
     * What no kernel can be faster than: weights, keys and values read once at the device's rate of
     * memory, or the step's arithmetic at its peak, whichever takes longer.
     */
    public double floorSeconds() {
        double flops = 2 * elements(layerWeights) * tokens + 2 * elements(headWeights) * rows;
        double expertFlops = 2 * elements(expertWeights) * tokens * chosenShare();
        double keys = prefillKeys;
        double pairs = prefillPairs;
        for (Map.Entry<Integer, Integer> entry : layersByWindow.entrySet()) {
            for (int i = 0; i < numDecodes; i++) {
                double seen = entry.getValue() * (double) seen(decodeKeys[i], entry.getKey());
                keys += seen;
                pairs += seen;
            }
        }
        flops += 2 * pairs * (shape.qSize() + shape.attendedSize());
        double kvBytes =
                keys * shape.kvBytesPerBlock(kvDtype) / DecoderState.BLOCK_SIZE / shape.numLayers();
        double read = expertBytes * readShare();
        return expertPeak == null
                ? peak.seconds(weightBytes + read + kvBytes, flops + expertFlops)
                : peak.seconds(weightBytes + kvBytes, flops)
                        + Math.max(
                                expertPeak.seconds(
                                        (1 - hotShare) * read, (1 - hotShare) * expertFlops),
                                peak.seconds(hotShare * read, hotShare * expertFlops));
    }

    private static double elements(Map<Curve, Double> weights) {
        double sum = 0;
        for (double count : weights.values()) {
            sum += count;
        }
        return sum;
    }

    private static int seen(int keys, int window) {
        return window == 0 ? keys : Math.min(window, keys);
    }

    /** What a request waits for beside the steps: its own way in, and its first token's out. */
    public double turnaroundSeconds() {
        return turnaround;
    }

    /** The share of a layer's experts that a token chooses. */
    private double chosenShare() {
        DecoderShape.Experts experts = shape.experts();
        return experts == null ? 0 : (double) experts.shape().topK() / experts.shape().numExperts();
    }

    /** The share that any of the step's tokens chooses, if they choose alike and independently. */
    private double readShare() {
        return 1 - Math.pow(1 - chosenShare(), tokens);
    }

    /** Each expert that is read serves its part of the rows. */
    private double expertSeconds() {
        double read = readShare();
        if (read <= 0) {
            return 0;
        }
        int rowsOfOne = (int) Math.max(1, Math.round(tokens * chosenShare() / read));
        double crossed = crossing == null ? 0 : sparse() * crossing.seconds(tokens);
        return Math.max(
                crossed + read * (1 - hotShare) * weighted(expertWeights, rowsOfOne),
                read * hotShare * weighted(hotWeights, rowsOfOne));
    }

    private static double weighted(Map<Curve, Double> weights, int count) {
        double sum = 0;
        for (Map.Entry<Curve, Double> entry : weights.entrySet()) {
            sum += entry.getKey().at(count) * entry.getValue();
        }
        return sum;
    }

    private double attention() {
        double sum = prefillSeconds;
        for (Map.Entry<Integer, Integer> entry : layersByWindow.entrySet()) {
            int window = entry.getKey();
            for (int i = 0; i < numDecodes; i++) {
                sum += entry.getValue() * decode.seconds(numDecodes, seen(decodeKeys[i], window));
            }
        }
        return sum;
    }

    private double rowSeconds() {
        double hidden = shape.hiddenSize();
        double layer =
                normsPerLayer * hidden * norm.at(tokens)
                        + allHeadNorms() * norm.at(tokens)
                        + shape.qkvSize() * rope.at(tokens);
        double inner = (double) (shape.numLayers() - sparse()) * shape.intermediateSize();
        DecoderShape.Experts experts = shape.experts();
        if (experts != null) {
            inner += (double) sparse() * experts.sharedSize();
            // The slots' rows are read once more than they are written.
            layer +=
                    experts.shape().topK()
                            * hidden
                            * norm.at(tokens)
                            * sparse()
                            / shape.numLayers();
        }
        return shape.numLayers() * layer
                + inner * activation.at(tokens)
                + hidden * (embedding.at(tokens) + norm.at(tokens));
    }

    private int sparse() {
        return shape.numExpertLayers();
    }

    /** Columns of the norms over all heads together. */
    private double allHeadNorms() {
        boolean has = shape.norms().qk() == DecoderShape.QkNorm.ALL_HEADS;
        return has ? shape.qSize() + shape.kvSize() : 0;
    }

    private double headRowSeconds() {
        double columns = HEAD_ROW_OPERATIONS * shape.hiddenSize();
        return norm.at(rows) * (columns + (hasSoftCap() ? shape.vocabSize() : 0));
    }

    private boolean hasSoftCap() {
        DecoderShape.Multipliers multipliers = shape.multipliers();
        return multipliers.logits() != 1 || multipliers.logitSoftCap() > 0;
    }

    private double overhead() {
        boolean hasAllHeads = shape.norms().qk() == DecoderShape.QkNorm.ALL_HEADS;
        int rowOperations = shape.numLayers() * (normsPerLayer + 2 + (hasAllHeads ? 2 : 0));
        int expertOperations = sparse() * EXPERT_OPERATIONS;
        double layers =
                (layerMatrices + expertOperations + shape.numLayers()) * shared
                        + rowOperations * single;
        double head = rows == 0 ? 0 : 2 * shared + HEAD_ROW_OPERATIONS * single;
        return layers + head + (OTHER_OPERATIONS + 2) * single;
    }
}
