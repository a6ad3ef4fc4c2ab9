/** The bundled demo model. */
module io.cortado.demo {
    requires static transitive org.jspecify;

    exports io.cortado.demo;

    opens io.cortado.demo;
}
