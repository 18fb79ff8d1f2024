/** Deliveries that an engine has handed out here and that are not claimed yet, by handler. */
export class Arrivals {
  private readonly byHandler = new Map<string, Map<number, Arrival>>();

  /** Takes in a delivery. Resolves once it is acknowledged: the engine may then forget it. */
  take(handler: string, id: number): Promise<void> {
    const arrivals = this.byHandler.get(handler) ?? new Map<number, Arrival>();
    this.byHandler.set(handler, arrivals);
    const arrival = arrivals.get(id) ?? newArrival(); // an engine may repeat itself
    arrivals.set(id, arrival);
    return arrival.acknowledged;
  }

  /** The ids of a handler's deliveries. */
  of(handler: string): number[] {
    return [...(this.byHandler.get(handler)?.keys() ?? [])];
  }

  /** Acknowledges deliveries that are claimed, or that nobody is to claim. */
  acknowledge(handler: string, ids: readonly number[]): void {
    const arrivals = this.byHandler.get(handler);
    for (const id of ids) {
      arrivals?.get(id)?.acknowledge();
      arrivals?.delete(id);
    }
  }

  /** Acknowledges all that are left. @returns their ids. */
  clear(): number[] {
    return [...this.byHandler.keys()].flatMap((handler) => {
      const ids = this.of(handler);
      this.acknowledge(handler, ids);
      return ids;
    });
  }
}

interface Arrival {
  acknowledged: Promise<void>;
  acknowledge(): void;
}

function newArrival(): Arrival {
  let acknowledge = (): void => undefined;
  const acknowledged = new Promise<void>((resolve) => (acknowledge = resolve));
  return { acknowledged, acknowledge };
}
