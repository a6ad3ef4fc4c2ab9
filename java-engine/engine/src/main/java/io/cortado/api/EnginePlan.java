package io.cortado.api;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SequencedMap;
import org.jspecify.annotations.Nullable;

/**
 * What an engine would take of a device's memory and how fast it would answer, told before any
 * weight is read.
 *
 * @param model its name
 * @param architecture from its configuration
 * @param device name and what sets its speed
 * @param parameters number of weights
 * @param maxModelLen longest prompt plus output, in tokens
 * @param refusal why {@link Engine#open} with the same options would fail, or the load cannot run;
 *     null where neither is so
 * @param prediction null where nothing can run, or the device computes for tests only
 * @param rates null with the prediction
 */
public record EnginePlan(
        String model,
        String architecture,
        String device,
        long parameters,
        int maxModelLen,
        PlanLoad load,
        Memory memory,
        @Nullable Refusal refusal,
        @Nullable Prediction prediction,
        @Nullable DeviceRates rates) {

    /**
     * Bytes on the device.
     *
     * @param weightsByFormat by the name of the format in which they lie on their device, experts
     *     in host memory included
     * @param workspaceBytes activations and inputs of steps, tables of angles
     * @param onHost what of it is in host memory instead; null: nothing
     * @param kvBytesPerToken keys and values of all layers
     * @param kvBytes of the KV cache; 0 where it does not fit
     * @param kvTokens that it holds at once
     * @param sequencesOfLoad sequences of the load's length that it holds
     * @param sequencesOfMaxLen sequences of maxModelLen that it holds
     * @param why the KV cache has this size
     */
    public record Memory(
            long totalBytes,
            long freeBytes,
            SequencedMap<String, Long> weightsByFormat,
            long weightBytes,
            long workspaceBytes,
            @Nullable OnHost onHost,
            long kvBytesPerToken,
            long kvBytes,
            long kvTokens,
            long sequencesOfLoad,
            long sequencesOfMaxLen,
            String why) {
        public Memory {
            weightsByFormat = new LinkedHashMap<>(weightsByFormat);
        }

        @Override
        public SequencedMap<String, Long> weightsByFormat() {
            return Collections.unmodifiableSequencedMap(weightsByFormat);
        }
    }

    /** Bytes in host memory of experts that the CPU computes for another device. */
    public record OnHost(long weightBytes, long workspaceBytes, long freeBytes) {}

    /**
     * @param message what is needed, what there is, and what helps
     * @param flag that helps
     */
    public record Refusal(EngineException.Code code, String message, String flag) {}

    /**
     * Of the load, by the production scheduler on a clock that the operators' rates drive.
     *
     * @param ttftMs mean over the requests
     * @param lastTtftMs of the request that waits longest
     * @param tpotMs mean over the requests; 0 where each has one token
     * @param runningAtOnce the most sequences in a step
     * @param firstStep milliseconds by operator of the first step
     * @param decodeStep the same of a step in which as many sequences decode as run at once, their
     *     outputs half done
     */
    public record Prediction(
            double ttftMs,
            double lastTtftMs,
            double tpotMs,
            double e2eMs,
            double outputTokensPerSecond,
            int runningAtOnce,
            long preemptions,
            Map<String, Double> firstStep,
            Map<String, Double> decodeStep,
            Roofline roofline) {}

    /**
     * Floors that no kernel passes, by the device's peaks.
     *
     * @param decodeMs all weights and keys read once at the rate of memory, or the arithmetic,
     *     whichever takes longer
     * @param prefillMs the same of one prompt
     */
    public record Roofline(double decodeMs, double prefillMs) {}
}
