package io.cortado.engine;

import io.cortado.api.EngineException;
import io.cortado.api.EngineOptions;
import io.cortado.device.Device;
import io.cortado.device.Nccl;
import io.cortado.device.NcclException;
import io.cortado.gang.Collectives;
import io.cortado.gang.GangException;
import io.cortado.gang.NcclCollectives;

/** Joins devices whose memory the host does not reach, one of each rank. */
interface DeviceCollectives {
    /**
     * Waits for the other ranks, each on a thread of its own; the caller closes what it gets.
     *
     * @param host of the same ranks
     * @param maxReduce values of the largest sum
     * @param deadlineNanos of every wait
     * @throws GangException if a rank does not come
     */
    Collectives join(Collectives host, Device device, long maxReduce, long deadlineNanos);

    /**
     * By NCCL, which is loaded here.
     *
     * @throws EngineException if the devices are no GPUs, or NCCL is not there
     */
    static DeviceCollectives of(EngineOptions options) {
        String what =
                "tensor-parallel-size=%d needs %%s: device=%s"
                        .formatted(options.tensorParallelSize(), options.device());
        if (!options.device().startsWith("cuda")) {
            throw EngineException.invalid("tensor-parallel-size", what.formatted("cpu or cuda:N"));
        }
        try {
            Nccl nccl = Nccl.open();
            return (host, device, maxReduce, deadlineNanos) ->
                    NcclCollectives.join(nccl, host, device, maxReduce, deadlineNanos);
        } catch (NcclException e) {
            throw EngineException.invalid(
                    "tensor-parallel-size", what.formatted("NCCL") + ": " + e.getMessage());
        }
    }
}
