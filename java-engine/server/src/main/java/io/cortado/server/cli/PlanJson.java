package io.cortado.server.cli;

import io.cortado.api.DeviceRates;
import io.cortado.api.EnginePlan;
import io.cortado.server.JsonOut;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A plan for programs: one object; times in milliseconds, sizes in bytes. */
final class PlanJson {
    private PlanJson() {}

    static String of(String name, EnginePlan plan) {
        JsonOut out = new JsonOut().open();
        out.field("model", name).field("architecture", plan.architecture());
        out.field("device", plan.device()).field("parameters", plan.parameters());
        out.field("max_model_len", plan.maxModelLen());
        memory(out.name("memory").open(), plan.memory());
        out.close().name("load").open();
        out.field("prompt_tokens", plan.load().promptTokens());
        out.field("output_tokens", plan.load().outputTokens());
        out.field("concurrency", plan.load().concurrency()).close();
        refusal(out.name("refusal"), plan.refusal());
        out.name("prediction");
        EnginePlan.Prediction prediction = plan.prediction();
        if (prediction == null) {
            out.nullValue();
        } else {
            prediction(out.open(), prediction);
            out.close();
        }
        out.name("rates");
        DeviceRates rates = plan.rates();
        if (rates == null) {
            out.nullValue();
        } else {
            rates(out.open(), rates);
            out.close();
        }
        return out.close().toString();
    }

    static void refusal(JsonOut out, EnginePlan.@Nullable Refusal refusal) {
        if (refusal == null) {
            out.nullValue();
        } else {
            out.open().field("code", refusal.code().name()).field("message", refusal.message());
            out.field("flag", refusal.flag()).close();
        }
    }

    private static void memory(JsonOut out, EnginePlan.Memory memory) {
        out.field("total_bytes", memory.totalBytes()).field("free_bytes", memory.freeBytes());
        out.field("weight_bytes", memory.weightBytes()).name("weight_bytes_by_format").open();
        memory.weightsByFormat().forEach(out::field);
        out.close().field("workspace_bytes", memory.workspaceBytes());
        EnginePlan.OnHost onHost = memory.onHost();
        out.name("on_host");
        if (onHost == null) {
            out.nullValue();
        } else {
            out.open().field("weight_bytes", onHost.weightBytes());
            out.field("workspace_bytes", onHost.workspaceBytes());
            out.field("free_bytes", onHost.freeBytes()).close();
        }
        out.field("kv_bytes_per_token", memory.kvBytesPerToken());
        out.field("kv_bytes", memory.kvBytes()).field("kv_tokens", memory.kvTokens());
        out.field("sequences_of_load", memory.sequencesOfLoad());
        out.field("sequences_of_max_len", memory.sequencesOfMaxLen()).field("why", memory.why());
    }

    private static void prediction(JsonOut out, EnginePlan.Prediction prediction) {
        out.name("ttft_ms").value(prediction.ttftMs());
        out.name("last_ttft_ms").value(prediction.lastTtftMs());
        out.name("tpot_ms").value(prediction.tpotMs());
        out.name("e2e_ms").value(prediction.e2eMs());
        out.name("output_tokens_per_second").value(prediction.outputTokensPerSecond());
        out.field("running_at_once", prediction.runningAtOnce());
        out.field("preemptions", prediction.preemptions());
        out.name("floor_decode_step_ms").value(prediction.roofline().decodeMs());
        out.name("floor_prefill_ms").value(prediction.roofline().prefillMs());
        millis(out.name("first_step_ms").open(), prediction.firstStep());
        millis(out.name("decode_step_ms").open(), prediction.decodeStep());
    }

    private static void millis(JsonOut out, Map<String, Double> operators) {
        operators.forEach((name, value) -> out.name(name).value(value.doubleValue()));
        out.close();
    }

    private static void rates(JsonOut out, DeviceRates rates) {
        out.field("device", rates.device()).field("processor", rates.processor());
        out.field("threads", rates.threads()).field("measured", rates.measured().toString());
        out.name("from_cache").value(rates.isFromCache());
        out.field("file", rates.file().toString()).field("note", rates.note());
        out.name("read_bytes_per_second").value(rates.readBytesPerSecond());
        out.name("bf16_flops_per_second").value(rates.bf16FlopsPerSecond());
        out.name("f32_flops_per_second").value(rates.f32FlopsPerSecond());
        out.name("operation_us").value(rates.operationMicros());
        out.name("turnaround_us").value(rates.turnaroundMicros());
    }
}
