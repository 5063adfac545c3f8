import { memoryPair } from '../../src/transport/memory.ts';
import { transportSuite } from './suite.ts';

transportSuite({ name: 'memory', pair: async () => memoryPair() }).run();
