"""FlowCut: objects of videos by cuts of appearance and motion that agree in time."""
