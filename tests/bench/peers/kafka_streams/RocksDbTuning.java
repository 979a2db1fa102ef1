import java.util.Map;
import org.apache.kafka.streams.state.RocksDBConfigSetter;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.Cache;
import org.rocksdb.LRUCache;
import org.rocksdb.Options;
import org.rocksdb.WriteBufferManager;

/**
 * One bounded memory for all stores, as the "Memory Management" page of Kafka Streams' developer guide describes it, with index
 * and filter blocks in the cache; large enough that neither the cache nor the write buffers ever hold a store up here.
 */
public final class RocksDbTuning implements RocksDBConfigSetter {
  private static final long MEMORY = 512L << 20;
  private static final long WRITE_BUFFERS = 256L << 20;
  private static final Cache CACHE = new LRUCache(MEMORY, -1, false, 0.1);
  private static final WriteBufferManager BUFFERS = new WriteBufferManager(WRITE_BUFFERS, CACHE);

  @Override
  public void setConfig(String store, Options options, Map<String, Object> configs) {
    BlockBasedTableConfig table = (BlockBasedTableConfig) options.tableFormatConfig();
    table.setBlockCache(CACHE);
    table.setCacheIndexAndFilterBlocks(true);
    table.setCacheIndexAndFilterBlocksWithHighPriority(true);
    table.setPinTopLevelIndexAndFilter(true);
    options.setWriteBufferManager(BUFFERS);
    options.setWriteBufferSize(32L << 20);
    options.setMaxWriteBufferNumber(3);
    options.setTableFormatConfig(table);
  }

  @Override
  public void close(String store, Options options) {
    // The cache and the buffers are shared by all stores, and end with the process.
  }
}
