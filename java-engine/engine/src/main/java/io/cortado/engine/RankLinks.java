package io.cortado.engine;

import io.cortado.device.Device;
import io.cortado.gang.Collectives;
import io.cortado.gang.GangException;
import io.cortado.gang.HostCollectives;
import io.cortado.gang.Transport;
import io.cortado.model.Shard;
import org.jspecify.annotations.Nullable;

/**
 * How one rank of a model reaches the others. Steps are told in host memory; what a step computes
 * is exchanged where the device has it. On the CPU both are one, in the order of the steps' stream.
 * Elsewhere steps are told beside the device, in a stream of the host: no function of the host ever
 * waits in a stream of a GPU. What ends one of the two ends the other.
 */
final class RankLinks implements AutoCloseable {
    private final Transport transport;
    private final HostCollectives told;
    private final @Nullable DeviceCollectives joining;
    private final long deadlineNanos;
    private Collectives computed;
    private @Nullable Device host;
    private boolean hasEnded;
    private boolean isClosed;

    /**
     * @param transport closed with this
     * @param joining of devices whose memory the host does not reach; null: it does
     */
    RankLinks(Transport transport, long deadlineNanos, @Nullable DeviceCollectives joining) {
        this.transport = transport;
        this.deadlineNanos = deadlineNanos;
        this.joining = joining;
        told = new HostCollectives(transport, deadlineNanos);
        computed = told;
    }

    /**
     * Joins this rank's device to the others', which are waited for.
     *
     * @param maxReduce values of the largest sum
     * @throws GangException if a rank does not come
     */
    void join(Device device, long maxReduce) {
        if (joining == null) {
            return;
        }
        host = Device.open("cpu", 1, "auto");
        Collectives joined = joining.join(told, device, maxReduce, deadlineNanos);
        computed = joined;
        told.onFailure(why -> joined.abort(String.valueOf(why.getMessage())));
        joined.onFailure(why -> told.abort(String.valueOf(why.getMessage())));
    }

    Transport transport() {
        return transport;
    }

    int size() {
        return transport.size();
    }

    Shard shard() {
        return new Shard(transport.rank(), transport.size());
    }

    long deadlineNanos() {
        return deadlineNanos;
    }

    /** What tells steps: buffers of {@link #tellingDevice}. */
    Collectives told() {
        return told;
    }

    /** What exchanges that a step computes: buffers of the device. */
    Collectives computed() {
        return computed;
    }

    /** True if steps are told in a stream of their own. */
    boolean areBeside() {
        return joining != null;
    }

    /** Whose buffers, events and streams steps are told by. */
    Device tellingDevice(Device device) {
        Device beside = host;
        return beside == null ? device : beside;
    }

    /** Why a rank is lost; null: none is. */
    @Nullable GangException failure() {
        GangException why = told.failure();
        return why == null ? computed.failure() : why;
    }

    void abort(String why) {
        told.abort(why);
    }

    /** This rank's streams have ended, and until the others' have they may read what it has. */
    void end() {
        if (computed == told || hasEnded || failure() != null) {
            return;
        }
        try {
            told.gather(new long[size()], new long[1]);
        } catch (GangException e) {
            return; // a rank is lost; told has ended what computed has
        }
        hasEnded = true;
        computed.close();
    }

    /** After {@link #end}, or where it came to no end: the others fail then. */
    @Override
    public void close() {
        if (isClosed) {
            return;
        }
        isClosed = true;
        if (computed != told && !hasEnded) {
            told.abort("rank %d is closed".formatted(transport.rank()));
            computed.close();
        }
        told.close();
        if (host != null) {
            host.close();
        }
    }
}
