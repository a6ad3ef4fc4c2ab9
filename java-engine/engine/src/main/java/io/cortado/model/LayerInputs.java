package io.cortado.model;

import io.cortado.device.Buffer;
import java.lang.foreign.MemorySegment;

/**
 * What the layers read of a batch, or of a part of it, in the layout of {@link BatchInputs}.
 *
 * @param hostPositions the positions, for the host
 * @param copies of the whole batch
 */
record LayerInputs(
        Buffer positions,
        Buffer slotMapping,
        Buffer cuSeqlensQ,
        Buffer seqlensKv,
        Buffer blockTable,
        MemorySegment hostPositions,
        SlotCopies copies) {}
