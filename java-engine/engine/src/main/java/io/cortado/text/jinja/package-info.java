/**
 * Chat templates: a small Jinja engine in the dialect of Hugging Face, whose output says which
 * characters the template wrote and which came from a message.
 */
@NullMarked
package io.cortado.text.jinja;

import org.jspecify.annotations.NullMarked;
