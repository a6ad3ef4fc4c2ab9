package io.cortado.gang;

import io.cortado.device.Nccl;
import io.cortado.gang.GangException.Kind;
import java.nio.ByteBuffer;
import java.util.Arrays;

/** How ranks come to the one id by which their NCCLs find each other. */
final class NcclIds {
    private static final int ID_LONGS = Nccl.ID_BYTES / Long.BYTES;

    /** The version, then the id. */
    private static final int LONGS = 1 + ID_LONGS;

    private NcclIds() {}

    /**
     * Waits for all ranks; the first one's id is taken.
     *
     * @throws GangException if a rank does not come, or has another version
     */
    static byte[] meet(Nccl nccl, Collectives host) {
        long[] mine = new long[LONGS];
        mine[0] = nccl.version();
        if (host.rank() == 0) {
            ByteBuffer.wrap(nccl.uniqueId()).asLongBuffer().get(mine, 1, ID_LONGS);
        }
        long[] all = new long[host.size() * LONGS];
        host.gather(all, mine);
        for (int rank = 0; rank < host.size(); rank++) {
            long version = all[rank * LONGS];
            if (version != mine[0]) {
                throw new GangException(
                        Kind.MISMATCH,
                        "rank %d has version %d of NCCL, rank %d version %d"
                                .formatted(rank, version, host.rank(), mine[0]));
            }
        }
        ByteBuffer id = ByteBuffer.allocate(Nccl.ID_BYTES);
        id.asLongBuffer().put(Arrays.copyOfRange(all, 1, LONGS));
        return id.array();
    }
}
