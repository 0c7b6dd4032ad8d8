/**
 * Entry of the `millrace` command, from the sources and from the bundle. What has been compiled (and, of sources, stripped of its types) is
 * kept for the next run, which makes that start three times as fast; so nothing else may be imported before.
 */
import { enableCompileCache } from 'node:module'

enableCompileCache()
await import('./main.ts')
