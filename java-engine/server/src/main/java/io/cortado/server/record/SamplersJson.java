package io.cortado.server.record;

import io.cortado.api.Dry;
import io.cortado.api.DynamicTemperature;
import io.cortado.api.Mirostat;
import io.cortado.api.Penalties;
import io.cortado.api.SamplingParams;
import io.cortado.api.SamplingStep;
import io.cortado.api.Truncation;
import io.cortado.api.Xtc;
import io.cortado.server.JsonOut;
import java.util.List;
import tools.jackson.databind.JsonNode;

/** What shapes the distribution as JSON, there and back. */
final class SamplersJson {
    private SamplersJson() {}

    static void write(JsonOut out, SamplingParams params) {
        DynamicTemperature dynamic = params.dynamicTemperature();
        number(out, "dynatemp_range", dynamic.range());
        number(out, "dynatemp_exponent", dynamic.exponent());
        Truncation truncation = params.truncation();
        out.field("top_k", truncation.topK());
        number(out, "top_p", truncation.topP());
        number(out, "min_p", truncation.minP());
        number(out, "typical_p", truncation.typicalP());
        number(out, "top_n_sigma", truncation.topNSigma());
        number(out, "epsilon_cutoff", truncation.epsilonCutoff());
        number(out, "eta_cutoff", truncation.etaCutoff());
        number(out, "top_h", truncation.topH());
        number(out, "xtc_probability", params.xtc().probability());
        number(out, "xtc_threshold", params.xtc().threshold());
        out.field("mirostat", params.mirostat().mode());
        number(out, "mirostat_tau", params.mirostat().tau());
        number(out, "mirostat_eta", params.mirostat().eta());
        number(out, "repetition_penalty", params.penalties().repetition());
        number(out, "frequency_penalty", params.penalties().frequency());
        number(out, "presence_penalty", params.penalties().presence());
        write(out, params.dry());
        ParamsJson.strings(
                out, "sampler_order", params.order().stream().map(SamplingStep::name).toList());
    }

    private static void write(JsonOut out, Dry dry) {
        number(out, "dry_multiplier", dry.multiplier());
        number(out, "dry_base", dry.base());
        out.field("dry_allowed_length", dry.allowedLength());
        out.field("dry_penalty_last_n", dry.lastN());
        ParamsJson.strings(out, "dry_sequence_breakers", dry.sequenceBreakers());
    }

    private static void number(JsonOut out, String name, float value) {
        out.name(name).value(value);
    }

    /** What is absent is off. */
    static SamplingParams.Builder read(JsonNode node) {
        SamplingParams.Builder params = SamplingParams.builder();
        params.dynamicTemperature(
                new DynamicTemperature(
                        number(node, "dynatemp_range", DynamicTemperature.OFF.range()),
                        number(node, "dynatemp_exponent", DynamicTemperature.OFF.exponent())));
        Truncation none = Truncation.NONE;
        params.truncation(
                new Truncation(
                        ParamsJson.required(node, "top_k").intValue(),
                        ParamsJson.required(node, "top_p").floatValue(),
                        ParamsJson.required(node, "min_p").floatValue(),
                        number(node, "typical_p", none.typicalP()),
                        number(node, "top_n_sigma", none.topNSigma()),
                        number(node, "epsilon_cutoff", none.epsilonCutoff()),
                        number(node, "eta_cutoff", none.etaCutoff()),
                        number(node, "top_h", none.topH())));
        params.xtc(
                new Xtc(
                        number(node, "xtc_probability", Xtc.OFF.probability()),
                        number(node, "xtc_threshold", Xtc.OFF.threshold())));
        params.mirostat(
                new Mirostat(
                        node.path("mirostat").asInt(0),
                        number(node, "mirostat_tau", Mirostat.OFF.tau()),
                        number(node, "mirostat_eta", Mirostat.OFF.eta())));
        params.penalties(
                new Penalties(
                        number(node, "repetition_penalty", 1),
                        number(node, "frequency_penalty", 0),
                        number(node, "presence_penalty", 0)));
        if (node.has("sampler_order")) {
            List<String> names = ParamsJson.strings(node.path("sampler_order"));
            params.order(names.stream().map(SamplingStep::valueOf).toList());
        }
        return params.dry(dry(node));
    }

    private static Dry dry(JsonNode node) {
        Dry off = Dry.OFF;
        JsonNode breakers = node.path("dry_sequence_breakers");
        return new Dry(
                number(node, "dry_multiplier", off.multiplier()),
                number(node, "dry_base", off.base()),
                node.path("dry_allowed_length").asInt(off.allowedLength()),
                node.path("dry_penalty_last_n").asInt(off.lastN()),
                breakers.isArray() ? ParamsJson.strings(breakers) : Dry.BREAKERS);
    }

    private static float number(JsonNode node, String name, float absent) {
        JsonNode value = node.path(name);
        return value.isNumber() ? value.floatValue() : absent;
    }
}
