import { Component } from 'react';
import type { ReactNode } from 'react';
import { Button } from './controls';
import { Note } from './states';

/** A mistake of ours in one page leaves the rest of the dashboard standing. */
export class Boundary extends Component<{ children: ReactNode }, { error: Error | undefined }> {
  override state: { error: Error | undefined } = { error: undefined };

  static getDerivedStateFromError(error: Error): { error: Error } {
    return { error };
  }

  override render(): ReactNode {
    if (!this.state.error) return this.props.children;
    return (
      <Note icon="alert" title="This page broke">
        <p>{this.state.error.message}</p>
        <p>
          <Button onClick={() => this.setState({ error: undefined })}>Try again</Button>
        </p>
      </Note>
    );
  }
}
