package io.cortado.device;

import static io.cortado.device.NativeException.check;

import io.cortado.bindings.CortadoNative;
import java.lang.foreign.MemorySegment;

/** A recorded list of operations that one call runs again; closed before what it refers to. */
public final class Graph extends NativeHandle {
    Graph(MemorySegment address) {
        super(address);
    }

    public void launch(Stream stream) {
        check(CortadoNative.ct_graph_launch(address(), stream.address()));
    }

    @Override
    void destroy(MemorySegment open) {
        check(CortadoNative.ct_graph_destroy(open));
    }
}
