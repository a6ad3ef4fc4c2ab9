package io.cortado.server;

import io.cortado.api.Dry;
import io.cortado.api.DynamicTemperature;
import io.cortado.api.EngineException;
import io.cortado.api.Mirostat;
import io.cortado.api.Penalties;
import io.cortado.api.SamplingParams;
import io.cortado.api.SamplingStep;
import io.cortado.api.Truncation;
import io.cortado.api.Xtc;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * The fields that shape the distribution. A model's own defaults give way: where a request turns
 * mirostat on or orders its samplers, what it does not name itself and cannot stand beside that is
 * off.
 */
final class SamplerFields {
    private static final int MAX_BREAKERS = 32;
    private static final int MAX_ORDER = 32;

    private final Fields fields;
    private final SamplingParams defaults;

    private SamplerFields(Fields fields, SamplingParams defaults) {
        this.fields = fields;
        this.defaults = defaults;
    }

    static void read(Fields fields, SamplingParams defaults, SamplingParams.Builder params) {
        List<SamplingStep> order = order(fields);
        Mirostat mirostat = new SamplerFields(fields, defaults).mirostat();
        SamplingParams left = order == null ? defaults : defaults.only(order);
        SamplerFields read =
                new SamplerFields(
                        fields, mirostat.isOff() ? left : left.only(SamplingStep.BESIDE_MIROSTAT));
        params.temperature(read.temperature());
        params.dynamicTemperature(read.dynamicTemperature());
        params.truncation(read.truncation());
        params.xtc(read.xtc());
        params.mirostat(mirostat);
        params.penalties(read.penalties());
        params.dry(read.dry());
        if (order != null) {
            params.order(order);
        }
    }

    private Mirostat mirostat() {
        return new Mirostat(
                fields.integer("mirostat", Integer.MIN_VALUE, Integer.MAX_VALUE, 0),
                decimal("mirostat_tau", Mirostat.OFF.tau()),
                decimal("mirostat_eta", Mirostat.OFF.eta()));
    }

    private float temperature() {
        Double asked = fields.number("temperature", 0, 2);
        return asked == null ? defaults.temperature() : asked.floatValue();
    }

    private DynamicTemperature dynamicTemperature() {
        DynamicTemperature off = DynamicTemperature.OFF;
        return new DynamicTemperature(
                decimal("dynatemp_range", off.range()),
                decimal("dynatemp_exponent", off.exponent()));
    }

    private Truncation truncation() {
        Truncation from = defaults.truncation();
        return new Truncation(
                fields.integer("top_k", -1, Integer.MAX_VALUE, from.topK()),
                decimal("top_p", from.topP()),
                decimal("min_p", from.minP()),
                decimal("typical_p", from.typicalP()),
                decimal("top_n_sigma", from.topNSigma()),
                decimal("epsilon_cutoff", from.epsilonCutoff()),
                decimal("eta_cutoff", from.etaCutoff()),
                decimal("top_h", from.topH()));
    }

    private Xtc xtc() {
        return new Xtc(
                decimal("xtc_probability", Xtc.OFF.probability()),
                decimal("xtc_threshold", Xtc.OFF.threshold()));
    }

    private Penalties penalties() {
        Penalties from = defaults.penalties();
        return new Penalties(
                decimal("repetition_penalty", from.repetition()),
                decimal("frequency_penalty", from.frequency()),
                decimal("presence_penalty", from.presence()));
    }

    private Dry dry() {
        Dry off = Dry.OFF;
        List<String> breakers = breakers();
        return new Dry(
                decimal("dry_multiplier", off.multiplier()),
                decimal("dry_base", off.base()),
                fields.integer("dry_allowed_length", 1, 1024, off.allowedLength()),
                fields.integer("dry_penalty_last_n", -1, Integer.MAX_VALUE, off.lastN()),
                breakers);
    }

    private List<String> breakers() {
        String name = "dry_sequence_breakers";
        if (!fields.has(name)) {
            return Dry.BREAKERS;
        }
        List<String> breakers = new ArrayList<>();
        for (JsonNode node : fields.array(name, MAX_BREAKERS)) {
            fields.require(node.isString(), name, "an array of strings", node);
            breakers.add(node.stringValue());
        }
        return breakers;
    }

    /** llama.cpp's {@code samplers}: names, or one string of letters. */
    private static @Nullable List<SamplingStep> order(Fields fields) {
        if (fields.has("sampler_order") && fields.has("samplers")) {
            throw ApiError.invalid("samplers", "samplers and sampler_order exclude each other.");
        }
        String name = fields.has("samplers") ? "samplers" : "sampler_order";
        JsonNode node = fields.node(name);
        if (node == null) {
            return null;
        }
        try {
            if (node.isString()) {
                return SamplingStep.parse(node.stringValue());
            }
            List<SamplingStep> order = new ArrayList<>();
            for (JsonNode element : fields.array(name, MAX_ORDER)) {
                fields.require(element.isString(), name, "an array of strings", element);
                order.add(SamplingStep.of(element.stringValue()));
            }
            return order;
        } catch (EngineException e) {
            throw ApiError.invalid(name, String.valueOf(e.getMessage()));
        }
    }

    /** The groups know their ranges. */
    private float decimal(String name, float absent) {
        Double value = fields.number(name, Double.NEGATIVE_INFINITY, Double.POSITIVE_INFINITY);
        return value == null ? absent : value.floatValue();
    }
}
