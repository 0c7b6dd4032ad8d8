/** Hearts in the event loop of the application: for simulated worlds, and where no thread can be started. A handler that burns CPU stops them. */
import { Cluster } from '../../cluster/cluster.ts'
import { BeatingHeart } from './beating-heart.ts'
import type { Heart, HeartbeatHost, HeartOptions } from './heart.ts'

export const sameLoopHost: HeartbeatHost = {
  open({ settings, world, plan, listener }: HeartOptions): Heart {
    return new BeatingHeart({ cluster: new Cluster({ settings, world }), plan, listener })
  },
}
