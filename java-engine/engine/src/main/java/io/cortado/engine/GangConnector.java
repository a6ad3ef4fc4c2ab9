package io.cortado.engine;

import io.cortado.api.EngineOptions;
import io.cortado.api.GangOptions;
import io.cortado.gang.GangSettings;
import io.cortado.gang.InProcessGang;
import io.cortado.gang.Rendezvous;
import io.cortado.gang.Transport;
import io.cortado.gang.UcxTransport;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** Brings the ranks of a gang together. */
interface GangConnector {
    /** Where ranks are more than cores, one that waits yields soon. */
    int SPINS_OF_MANY = 50;

    /** Processes start one after the other: they wait for so many timeouts of an exchange. */
    int MEETING_TIMEOUTS = 10;

    /** Where there is no gang. */
    GangConnector NONE =
            (rank, _, _) -> {
                throw new IllegalStateException("there is no gang: rank=" + rank);
            };

    /**
     * Waits for all ranks; the caller closes what it gets.
     *
     * @param rank of the gang
     * @param size of the gang
     * @param model all that decides what is computed: the same on all ranks
     */
    Transport connect(int rank, int size, String model);

    /**
     * Joins the devices of ranks that have met, where the host does not reach their memory.
     *
     * @throws io.cortado.api.EngineException if nothing here can
     */
    default DeviceCollectives deviceCollectives(EngineOptions options) {
        return DeviceCollectives.of(options);
    }

    /** What the options say. */
    static GangConnector of(EngineOptions options) {
        GangOptions gang = options.gang();
        int ofTensors = options.tensorParallelSize();
        if (!gang.spreadsExperts() && ofTensors == 1) {
            return NONE;
        }
        return gang.worldSize() > 1
                ? (rank, size, model) -> meet(options, rank, size, model)
                : inProcess(ofTensors > 1 ? ofTensors : gang.numAttention() + gang.numExperts());
    }

    /** A rank of a gang in several processes; a process may be two of them. */
    private static Transport meet(EngineOptions options, int rank, int size, String model) {
        GangOptions gang = options.gang();
        GangSettings settings =
                GangSettings.of(
                        Map.of(
                                "RANK",
                                Integer.toString(rank),
                                "WORLD_SIZE",
                                Integer.toString(size),
                                "RENDEZVOUS",
                                gang.rendezvous()));
        String agreement =
                "attention-ranks=%d expert-ranks=%d expert-parallel-size=%d redundant-experts=%d expert-nodes=%d micro-batches=%d tensor-parallel-size=%d on-cpu=%s activations=%s dummy-weights=%s model=%08x"
                        .formatted(
                                gang.attentionRanks(),
                                gang.expertRanks(),
                                gang.expertParallelSize(),
                                gang.redundantExperts(),
                                gang.expertNodes(),
                                gang.microBatches(),
                                options.tensorParallelSize(),
                                options.device().equals("cpu"),
                                options.activations(),
                                options.dummyWeights(),
                                model.hashCode());
        return Rendezvous.join(
                settings,
                agreement.getBytes(StandardCharsets.UTF_8),
                Runtime.getRuntime().availableProcessors() < size
                        ? SPINS_OF_MANY
                        : UcxTransport.DEFAULT_SPINS,
                MEETING_TIMEOUTS * TimeUnit.MILLISECONDS.toNanos(gang.timeoutMs()));
    }

    /** Ranks that are all in this process, however many engines they are. */
    static GangConnector inProcess(int numRanks) {
        Transport[] all = InProcessGang.create(numRanks);
        return (rank, _, _) -> all[rank];
    }
}
