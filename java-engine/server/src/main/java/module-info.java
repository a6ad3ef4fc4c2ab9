/** The OpenAI-compatible server and the command line. */
module io.cortado.server {
    requires static transitive org.jspecify;
    requires io.cortado.demo;
    requires io.cortado.engine;
}
