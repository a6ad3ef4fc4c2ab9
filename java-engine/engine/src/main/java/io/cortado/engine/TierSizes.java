package io.cortado.engine;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * The tiers of the KV cache behind the device, as far as they turn out to be of use.
 *
 * @param hostBlocks blocks in host memory; 0: no tiers
 * @param diskFolder where the file of the disk tier is; null: no disk tier
 * @param diskBlocks blocks of that file
 */
record TierSizes(int hostBlocks, @Nullable Path diskFolder, int diskBlocks, TierRates.Rule rule) {}
