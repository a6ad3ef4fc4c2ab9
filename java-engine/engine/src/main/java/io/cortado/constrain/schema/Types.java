package io.cortado.constrain.schema;

/** Sets of JSON types as bits; the two booleans are types of their own. */
final class Types {
    static final int NULL = 1;
    static final int FALSE = 2;
    static final int TRUE = 4;
    static final int NUMBER = 8;
    static final int STRING = 16;
    static final int ARRAY = 32;
    static final int OBJECT = 64;
    static final int BOOLEAN = FALSE | TRUE;
    static final int ALL = 127;

    private Types() {}
}
