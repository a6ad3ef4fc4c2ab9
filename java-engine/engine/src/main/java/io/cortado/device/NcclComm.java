package io.cortado.device;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * This rank's end of an NCCL communicator that never blocks. One thread puts work into it; any may
 * ask {@link #isBusy} and {@link #abort}. After either end calls do nothing.
 */
public final class NcclComm {
    private final Nccl nccl;
    private final MemorySegment comm;
    private final NcclAddresses addresses;
    private final Arena arena = Arena.ofAuto();
    private final MemorySegment status = arena.allocate(JAVA_INT);
    private boolean hasEnded;

    NcclComm(Nccl nccl, MemorySegment comm, NcclAddresses addresses) {
        this.nccl = nccl;
        this.comm = comm;
        this.addresses = addresses;
    }

    /**
     * True while ranks are still joining, or what was put last is not yet in its stream.
     *
     * @throws NcclException what NCCL has found to be wrong since: a peer or the network is lost
     */
    public synchronized boolean isBusy() {
        if (hasEnded) {
            return false;
        }
        try {
            nccl.check("ncclCommGetAsyncError", (int) nccl.asyncError.invokeExact(comm, status));
        } catch (Throwable e) {
            throw Nccl.unchecked(e);
        }
        int found = status.get(JAVA_INT, 0);
        if (found != Nccl.IN_PROGRESS) {
            nccl.check("NCCL reports", found);
        }
        return found == Nccl.IN_PROGRESS;
    }

    /**
     * Puts an exchange of all ranks into the stream: part r of from goes to rank r, part r of to
     * comes from it, its own included; parts have stride bytes.
     */
    public synchronized void allToAll(
            Buffer to, Buffer from, long stride, int size, Stream stream) {
        if (hasEnded) {
            return;
        }
        try {
            nccl.check("ncclGroupStart", (int) nccl.groupStart.invokeExact());
            boolean isWhole = false;
            try {
                for (int peer = 0; peer < size; peer++) {
                    move("ncclSend", nccl.send, at(from, peer * stride), stride, peer, stream);
                    move("ncclRecv", nccl.recv, at(to, peer * stride), stride, peer, stream);
                }
                isWhole = true;
            } finally { // also where a call was refused: the group is this thread's
                int ended = (int) nccl.groupEnd.invokeExact();
                if (isWhole) {
                    taken("ncclGroupEnd", ended);
                }
            }
        } catch (Throwable e) {
            throw Nccl.unchecked(e);
        }
    }

    private void move(
            String name,
            MethodHandle function,
            MemorySegment address,
            long bytes,
            int peer,
            Stream stream)
            throws Throwable {
        taken(
                name,
                (int) function.invokeExact(address, bytes, Nccl.UINT8, peer, comm, queue(stream)));
    }

    /** all[size][bytes] = each rank's mine[bytes]. */
    public synchronized void allGather(Buffer all, Buffer mine, long bytes, Stream stream) {
        if (!hasEnded) {
            try {
                taken(
                        "ncclAllGather",
                        (int)
                                nccl.allGather.invokeExact(
                                        at(mine, 0),
                                        at(all, 0),
                                        bytes,
                                        Nccl.UINT8,
                                        comm,
                                        queue(stream)));
            } catch (Throwable e) {
                throw Nccl.unchecked(e);
            }
        }
    }

    private void taken(String function, int result) {
        if (result != Nccl.IN_PROGRESS) {
            nccl.check(function, result);
        }
    }

    private MemorySegment at(Buffer buffer, long offset) {
        return MemorySegment.ofAddress(addresses.of(buffer) + offset);
    }

    private MemorySegment queue(Stream stream) {
        if (stream.isCapturing()) {
            throw new IllegalStateException("collectives cannot be captured into a graph");
        }
        return MemorySegment.ofAddress(addresses.of(stream));
    }

    /**
     * Ends what runs on the GPU, and the communicator. Again, or after {@link #destroy}: nothing.
     */
    public void abort() {
        end("ncclCommAbort", nccl.abort);
    }

    /** Ends a communicator whose work has been done. Again, or after {@link #abort}: nothing. */
    public void destroy() {
        end("ncclCommDestroy", nccl.destroy);
    }

    private synchronized void end(String function, MethodHandle call) {
        if (!hasEnded) {
            hasEnded = true;
            try {
                taken(function, (int) call.invokeExact(comm));
            } catch (Throwable e) {
                throw Nccl.unchecked(e);
            }
        }
    }
}
