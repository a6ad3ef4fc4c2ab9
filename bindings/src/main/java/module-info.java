/**
 * The C ABI as Java sees it: what jextract generates from {@code cortado.h}, and the loader. The
 * one module that needs {@code --enable-native-access}.
 */
module io.cortado.bindings {
    requires static transitive org.jspecify;

    exports io.cortado.bindings;
}
