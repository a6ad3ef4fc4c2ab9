package io.cortado.device;

/** What NCCL is to take for buffers and streams: their addresses on the GPU, but for tests. */
public interface NcclAddresses {
    /** Of the CUDA runtime. */
    NcclAddresses OF_GPU =
            new NcclAddresses() {
                @Override
                public long of(Buffer buffer) {
                    return buffer.deviceAddress();
                }

                @Override
                public long of(Stream stream) {
                    return stream.nativeAddress();
                }
            };

    long of(Buffer buffer);

    /** Asked for each time that something is put into it. */
    long of(Stream stream);
}
