/** Hearts in the event loop of the application: for simulated worlds, and where no thread can be started. A handler that burns CPU stops them. */
import { BeatingHeart } from './beating-heart.ts'
import { heartCluster } from './heart-cluster.ts'
import type { Heart, HeartbeatHost, HeartOptions } from './heart.ts'

export const sameLoopHost: HeartbeatHost = {
  open({ settings, world, plan, listener }: HeartOptions): Heart {
    return new BeatingHeart({ cluster: heartCluster(settings, world), plan, listener })
  },
}
