package io.cortado.engine;

import io.cortado.api.EngineException;
import io.cortado.api.EngineOptions;
import io.cortado.api.GangOptions;
import io.cortado.gang.InProcessGang;
import io.cortado.gang.Transport;

/** Brings the ranks of a gang together. */
interface GangConnector {
    /** Where there is no gang. */
    GangConnector NONE =
            (rank, _) -> {
                throw new IllegalStateException("there is no gang: rank=" + rank);
            };

    /**
     * Waits for all ranks; the caller closes what it gets.
     *
     * @param rank of the gang
     * @param size of the gang
     */
    Transport connect(int rank, int size);

    /** What the options say. */
    static GangConnector of(EngineOptions options) {
        GangOptions gang = options.gang();
        int ofTensors = options.tensorParallelSize();
        if (!gang.spreadsExperts() && ofTensors == 1) {
            return NONE;
        }
        if (gang.worldSize() > 1) {
            throw EngineException.invalid("WORLD_SIZE", "processes are not connected yet");
        }
        return inProcess(ofTensors > 1 ? ofTensors : gang.numAttention() + gang.numExperts());
    }

    /** Ranks that are all in this process, however many engines they are. */
    static GangConnector inProcess(int numRanks) {
        Transport[] all = InProcessGang.create(numRanks);
        return (rank, _) -> all[rank];
    }
}
