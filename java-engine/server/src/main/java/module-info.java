/** The OpenAI-compatible server and the command line. */
module io.cortado.server {
    requires static transitive org.jspecify;
    requires info.picocli;
    requires io.cortado.demo;
    requires transitive io.cortado.engine;
    requires io.netty.buffer;
    requires io.netty.codec;
    requires io.netty.codec.http;
    requires io.netty.common;
    requires io.netty.transport;
    requires java.net.http;
    requires jdk.unsupported; // sun.misc.Signal: a second SIGTERM
    requires tools.jackson.core;
    requires tools.jackson.databind;

    exports io.cortado.server;

    // Fields with picocli's annotations are set by reflection.
    opens io.cortado.server.cli to
            info.picocli;
}
