package io.cortado.text;

/** Who wrote a piece of a prompt, which decides whether it may spell control tokens. */
public enum Origin {
    /** Written by the model's publisher or by the server: spells any added token. */
    TEMPLATE,
    /** Written by a client, or made from what a client wrote: never spells a special token. */
    USER
}
